import { readFileSync, writeFileSync } from "node:fs";
import { tableFromIPC } from "@uwdata/flechette";
import { describe, expect, test } from "vitest";
import {
  columnsFirst,
  npy,
  safetensors,
  zip,
} from "../../support/array-files.js";
import { built } from "../../support/built.js";
import { workDirectory } from "../../support/logits-input.js";
import { verifiedRun } from "../../support/verified-run.js";

// Batches of logits that were saved as one array each: their rows follow one another.

const at = workDirectory();
const CLASSES = 3;
const SIZES = [4, 4, 1];
const ROWS = 9;
const logits = Float64Array.from(
  { length: ROWS * CLASSES },
  (_, k) => ((k * 7) % 11) / 3,
);
const label = Int32Array.from({ length: ROWS }, (_, row) => row % CLASSES);
const id = Int16Array.from({ length: ROWS }, (_, row) => 100 - row);
const tangent = logits.map((z) => 1 - z);

/** Batches under names whose order by number is not the order in which they are in the file. */
function members(fortran: boolean): Record<string, Buffer> {
  let from = 0;
  const batches = SIZES.map((rows, k): [string, Buffer] => {
    const values = logits.subarray(from * CLASSES, (from + rows) * CLASSES);
    from += rows;
    const stored = fortran ? columnsFirst(values, rows) : values;
    const shape = [rows, CLASSES];
    return [`b_${k + 9}.npy`, npy(stored, { shape, fortran })];
  });
  return Object.fromEntries([
    ...batches.reverse(),
    ["y.npy", npy(label, [ROWS])],
    ["id.npy", npy(id, [ROWS])],
    ["u.npy", npy(tangent, [ROWS, CLASSES])],
    [
      "v.npy",
      npy(columnsFirst(tangent, ROWS), {
        shape: [ROWS, CLASSES],
        fortran: true,
      }),
    ],
  ]);
}

const whole = at("whole.npz");
writeFileSync(
  whole,
  zip({
    ...members(false),
    "logits.npy": npy(logits, [ROWS, CLASSES]),
  }),
);

async function resultsOf(
  input: string,
  options: { column: string } | { columns: string },
  tangent: string,
) {
  const output = at("out.arrow");
  const table = await verifiedRun({
    input,
    output,
    ...options,
    keep: ["id"],
    label: "y",
    tangent,
    emit: ["softmax", "jacobian", "cross_entropy", "jvp"],
    chunkRows: 2,
  });
  return ["row", "softmax", "jacobian", "cross_entropy", "jvp", "id"].map(
    (name) => [...table.getChild(name).toArray()].map(String),
  );
}

describe.each([
  ["in C order", false, "u"],
  ["in Fortran order, the last of one row", true, "v"],
])("%s", (_, fortran, tangent) => {
  test.each([
    ["stored", zip(members(fortran))],
    ["deflated", zip(members(fortran), { deflated: true })],
  ])("%s batches give the results of one array", async (_, file) => {
    const input = at("batches.npz");
    writeFileSync(input, file);
    expect(await resultsOf(input, { columns: "b_*" }, tangent)).toEqual(
      await resultsOf(whole, { column: "logits" }, tangent),
    );
  });
});

test("tensors in the order of the list", async () => {
  const input = at("batches.safetensors");
  const tensor = (...values: number[]) => ({
    dtype: "F32",
    shape: [values.length / 2, 2],
    values: Float32Array.from(values),
  });
  writeFileSync(
    input,
    safetensors({ a: tensor(0, 0), b: tensor(0, 30, 30, 0) }),
  );
  const output = at("tensors.arrow");
  await built.run({ input, output, columns: "b,a", emit: ["argmax"] });
  const table = tableFromIPC(readFileSync(output));
  expect([...table.getChild("argmax").toArray()]).toEqual([1, 0, 0]);
});

test("a batch in C order and one in Fortran order", async () => {
  const input = at("orders.npz");
  const values = [logits.subarray(0, 12), logits.subarray(12)] as const;
  const [first, second] = values.map((one) => one.length / CLASSES);
  const labels = npy(label, [ROWS]);
  const members = {
    "b_0.npy": npy(values[0], [first as number, CLASSES]),
    "b_1.npy": npy(columnsFirst(values[1], second as number), {
      shape: [second as number, CLASSES],
      fortran: true,
    }),
    "y.npy": labels,
    "id.npy": npy(id, [ROWS]),
    "u.npy": npy(tangent, [ROWS, CLASSES]),
  };
  writeFileSync(input, zip(members));
  expect(await resultsOf(input, { columns: "b_*" }, "u")).toEqual(
    await resultsOf(whole, { column: "logits" }, "u"),
  );
});

test.each([
  [
    "another number of classes",
    npy(new Float64Array(4), [2, 2]),
    "array b_1: expected float64 and 3 classes as in array b_0, found b_1: float64 [2, 2]; --columns concatenates the rows of arrays",
  ],
  [
    "another type",
    npy(new Float32Array(6), [2, 3]),
    "array b_1: expected float64 and 3 classes as in array b_0, found b_1: float32 [2, 3]; --columns concatenates the rows of arrays",
  ],
])("a batch of %s is refused", async (_, other, message) => {
  const input = at("other.npz");
  const first = npy(new Float64Array(6), [2, 3]);
  writeFileSync(input, zip({ "b_0.npy": first, "b_1.npy": other }));
  await expect(
    built.run({ input, output: at("none.arrow"), columns: "b_*" }),
  ).rejects.toThrow(
    expect.objectContaining({
      code: "ERR_INPUT_UNSUPPORTED",
      message: `${input}: ${message}`,
    }),
  );
});
