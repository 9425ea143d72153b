import { readFileSync, writeFileSync } from "node:fs";
import { int16, int64 } from "@uwdata/flechette";
import { expect, test } from "vitest";
import {
  columnsFirst,
  npy,
  safetensors,
  type Tensor,
  zip,
} from "../../support/array-files.js";
import { inputRuns } from "../../support/input-runs.js";
import { inputs, writeInputs } from "../../support/inputs-input.js";
import { openedInput } from "../../support/opened-input.js";

// Named arrays as logits, as other inputs, as copied columns and as batches.

const { input, output, tableOf, valuesOf } = inputRuns();
const ROWS = 301;
const CLASSES = 5;
const all = inputs(ROWS, CLASSES);
const arrays = {
  y: ["I64", BigInt64Array.from(all.label, BigInt)],
  k: ["I16", Int16Array.from(all.classColumn)],
  logits: ["F64", all.logits],
  g: ["F32", Float32Array.from(all.cotangent)],
  v: ["F64", Float64Array.from(all.tangent)],
  s: ["F64", Float64Array.from(all.covariance)],
} as const;
const shapeOf = ({ length }: { length: number }) =>
  length === ROWS ? [ROWS] : [ROWS, length / ROWS];
const tensors = Object.fromEntries(
  Object.entries(arrays).map(([name, [dtype, values]]) => [
    name,
    { dtype, values, shape: shapeOf(values) },
  ]),
) as Record<string, Tensor>;

function members(fortran = false): Record<string, Buffer> {
  return Object.fromEntries(
    Object.entries(arrays).map(([name, [, values]]) => {
      const shape = shapeOf(values);
      const stored =
        fortran && shape.length > 1
          ? columnsFirst(values as Float64Array, ROWS)
          : values;
      return [`${name}.npy`, npy(stored, { shape, fortran })];
    }),
  );
}

test.each([
  ["npz", zip({ ...members(), "read.me": Buffer.from("hello") })],
  ["npz, Fortran order", zip(members(true))],
  ["deflated npz, Fortran order", zip(members(true), { deflated: true })],
  ["safetensors", safetensors(tensors)],
])("%s: the output for an Arrow file, and copied arrays", async (_, file) => {
  const options = {
    ...{ column: "logits", label: "y", classColumn: "k" },
    ...{ cotangent: "g", tangent: "v", covariance: "s" },
    emit: "softmax jacobian vjp jvp covariance cross_entropy column".split(" "),
  };
  // The output contains the name of the input, so both have the same path.
  writeInputs(input, all, 100);
  await tableOf(input, options);
  const expected = readFileSync(output);
  await tableOf(file, options);
  expect(readFileSync(output).equals(expected)).toBe(true);
  const kept = await tableOf(file, { column: "logits", keep: ["k", "y"] });
  const types = kept.schema.fields.map(({ type }) => type);
  expect(types.slice(0, 3)).toEqual([int64(), int16(), int64()]);
  expect([...kept.getChild("k")]).toEqual(all.classColumn);
  expect([...kept.getChild("y")]).toEqual(all.label);
});

test("the name of a member is no path", async () => {
  const column = "../../../tmp/x";
  const file = zip(
    { [`${column}.npy`]: npy(new Float64Array(4), [2, 2]) },
    { deflated: true },
  );
  expect(await valuesOf(file, "row", { column })).toEqual([0, 1]);
});

test("matrices as covariance, in both orders", async () => {
  const [rows, n] = [2, 3];
  const matrices = Float64Array.from({ length: rows * n * n }, (_, k) => k);
  const turned = matrices.map((_, at) => {
    const [row, i, j] = [
      at % rows,
      Math.floor(at / rows) % n,
      Math.floor(at / rows / n),
    ];
    return (row * n + i) * n + j;
  });
  for (const s of [
    npy(matrices, [rows, n * n]),
    npy(matrices, [rows, n, n]),
    npy(turned, { shape: [rows, n, n], fortran: true }),
  ]) {
    const o = npy(new Float64Array(rows * n), [rows, n]);
    writeFileSync(input, zip({ "o.npy": o, "s.npy": s }));
    const inputs = [{ option: "covariance" as const, name: "s" }];
    const { sources } = await openedInput(input, { column: "o", inputs });
    expect(sources[1]?.flat()).toEqual([...matrices]);
  }
});

/** Returns batches of 100, 200 and 1 rows; their order by number is not their order in the file. */
function batches(orders: readonly boolean[]): Record<string, Buffer> {
  const starts = [0, 100, 300, ROWS];
  return Object.fromEntries(
    [2, 1, 0].map((k) => {
      const [start, end] = starts.slice(k) as [number, number];
      const values = all.logits.subarray(start * CLASSES, end * CLASSES);
      const fortran = orders[k] as boolean;
      const stored = fortran ? columnsFirst(values, end - start) : values;
      const shape = [end - start, CLASSES];
      return [`b_${k + 9}.npy`, npy(stored, { shape, fortran })];
    }),
  );
}

test.each(["CCC", "FFF", "CFC"])(
  "batches of the orders %s give the results of one array",
  async (letters) => {
    const orders = [...letters].map((letter) => letter === "F");
    const others = members(orders[0]);
    const resultsOf = async (file: Buffer, logits: object) => {
      const table = await tableOf(file, {
        ...{ ...logits, keep: ["k"], label: "y", tangent: "v", chunkRows: 70 },
        emit: ["softmax", "cross_entropy", "jvp"],
      });
      return ["row", "k", "softmax", "cross_entropy", "jvp"].map((name) =>
        [...table.getChild(name).toArray()].map(String),
      );
    };
    const expected = await resultsOf(zip(others), { column: "logits" });
    for (const deflated of [false, true]) {
      const file = zip({ ...batches(orders), ...others }, { deflated });
      expect(await resultsOf(file, { columns: "b_*" })).toEqual(expected);
    }
  },
);

test("tensors in the order of the list", async () => {
  const tensor = (...values: number[]) => ({
    dtype: "F32",
    shape: [values.length / 2, 2],
    values: Float32Array.from(values),
  });
  const file = safetensors({ a: tensor(0, 0), b: tensor(0, 30, 30, 0) });
  const options = { columns: "b,a", emit: ["argmax"] };
  expect(await valuesOf(file, "argmax", options)).toEqual([1, 0, 0]);
});
