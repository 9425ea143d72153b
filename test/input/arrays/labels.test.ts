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

// Predictions of two and three dimensions, with labels of every shape.

const at = workDirectory();
const input = at("in.npz");
const output = at("out.arrow");
const [SEQUENCES, TOKENS, CLASSES] = [5, 4, 3];
const ROWS = SEQUENCES * TOKENS;
const logits = Float64Array.from(
  { length: ROWS * CLASSES },
  (_, k) => ((k * 5) % 13) / 4,
);
const classes = Array.from({ length: ROWS }, (_, row) => (row * 7) % CLASSES);
const crossEntropy = (labels: readonly number[]) =>
  labels.map((label, row) => {
    const z = logits.subarray(row * CLASSES, (row + 1) * CLASSES);
    const sum = z.reduce((total, o) => total + Math.exp(o), 0);
    return expect.closeTo(Math.log(sum) - (z[label] as number), 12);
  });
const labelled = {
  ...{ input, output, column: "logits", label: "y" },
  emit: ["cross_entropy" as const],
};
const oneHot = Float32Array.from({ length: ROWS * CLASSES }, (_, k) =>
  Number(k % CLASSES === classes[Math.floor(k / CLASSES)]),
);
const numbers = Int32Array.from(classes);
const int = (...shape: number[]) => npy(numbers, shape);
const hot = (...shape: number[]) => npy(oneHot, shape);

const two = npy(logits, [ROWS, CLASSES]);
const three = npy(logits, [SEQUENCES, TOKENS, CLASSES]);

test.each<[name: string, logits: Buffer, label: Buffer]>([
  ["[rows]", two, int(ROWS)],
  ["[rows, 1]", two, int(ROWS, 1)],
  ["one-hot rows", two, hot(ROWS, CLASSES)],
  ["[rows] beside three dimensions", three, int(ROWS)],
  ["[sequences, tokens]", three, int(SEQUENCES, TOKENS)],
  ["[sequences, tokens, 1]", three, int(SEQUENCES, TOKENS, 1)],
  ["one-hot tokens", three, hot(SEQUENCES, TOKENS, CLASSES)],
  [
    "one-hot rows in Fortran order",
    two,
    npy(columnsFirst(oneHot, ROWS), {
      descr: "<f4",
      shape: [ROWS, CLASSES],
      fortran: true,
    }),
  ],
  [
    "big-endian one-hot tokens",
    three,
    npy(
      new Uint8Array(oneHot.buffer.slice()).map(
        (_, k, bytes) => bytes[k ^ 3] as number,
      ),
      {
        descr: ">f4",
        shape: [SEQUENCES, TOKENS, CLASSES],
      },
    ),
  ],
])("labels of shape %s", async (_, predictions, label) => {
  for (const deflated of [false, true]) {
    const members = { "logits.npy": predictions, "y.npy": label };
    writeFileSync(input, zip(members, { deflated }));
    const table = await verifiedRun({ ...labelled, chunkRows: 7 });
    expect([...table.getChild("cross_entropy")]).toEqual(crossEntropy(classes));
  }
});

test.each<[name: string, label: Buffer, message: string]>([
  [
    "rows that are not one-hot",
    npy(
      oneHot.map((value, k) => (k === 8 ? 0.5 : value)),
      [ROWS, CLASSES],
    ),
    "array y, row 2: expected a class number or a one-hot row (one 1 among zeros)",
  ],
  [
    "another number of rows",
    npy(new Int32Array(3), [3]),
    `array y: expected class numbers of shape [${ROWS}] or [${ROWS}, 1] or [${ROWS}, ${CLASSES}] for --label, found y: int32 [3]`,
  ],
])("labels of %s are refused", async (_, label, message) => {
  writeFileSync(input, zip({ "logits.npy": two, "y.npy": label }));
  await expect(
    built.run({ ...labelled, output: at("none.arrow") }),
  ).rejects.toThrow(`${input}: ${message}`);
});

test("labels of sequences are those of all their tokens", async () => {
  const y = Int16Array.from({ length: SEQUENCES }, (_, k) => (k * 2) % CLASSES);
  const members = { "logits.npy": three, "y.npy": npy(y, [SEQUENCES]) };
  writeFileSync(input, zip(members));
  const table = await verifiedRun({ ...labelled, chunkRows: 3 });
  const repeated = classes.map((_, row) => y[Math.floor(row / TOKENS)] ?? 0);
  expect([...table.getChild("cross_entropy")]).toEqual(crossEntropy(repeated));
});

describe("copied arrays", () => {
  const ids = Float32Array.from({ length: ROWS }, (_, k) => 3 - k);
  const shape = [SEQUENCES, TOKENS];
  const descr = "<f4";
  const swapped = Buffer.from(ids.buffer.slice()).swap32();
  const turned = columnsFirst(ids, SEQUENCES);
  const first = Int16Array.of(9, -8, 7, 5, 6);
  const repeated = Array.from(
    { length: ROWS },
    (_, row) => first[Math.floor(row / TOKENS)],
  );
  const kept = { input, output, column: "logits", keep: ["id"] };
  const codes = Uint8Array.from({ length: ROWS }, (_, k) => 0x38 + k);

  test.each<[name: string, file: Buffer, expected: unknown[]]>([
    ["(rows,)", npy(ids, { descr, shape: [ROWS] }), [...ids]],
    ["all axes", npy(ids, { descr, shape }), [...ids]],
    ["Fortran order", npy(turned, { descr, shape, fortran: true }), [...ids]],
    ["big-endian", npy(swapped, { descr: ">f4", shape }), [...ids]],
    ["the first axis", npy(first, [SEQUENCES]), repeated],
  ])("%s", async (_, id, expected) => {
    const members = { "logits.npy": three, "id.npy": id };
    for (const layout of ["bsr", "csr"] as const) {
      writeFileSync(input, zip(members, { deflated: layout === "csr" }));
      const table = await verifiedRun({ ...kept, layout, chunkRows: 3 });
      expect([...table.getChild("id").toArray()]).toEqual(expected);
    }
  });

  test("float8 become float32", async () => {
    const tensors = {
      logits: { dtype: "F64", shape: [ROWS, CLASSES], values: logits },
      id: { dtype: "F8_E4M3", shape: [ROWS], values: codes },
    };
    writeFileSync(input, safetensors(tensors));
    await built.run({ ...kept, force: true, onBadRow: "skip" });
    const found = tableFromIPC(readFileSync(output)).getChild("id").toArray();
    expect(found).toBeInstanceOf(Float32Array);
    // 1 to 4 in steps of 1/8, then 1/4, then 1/2.
    expect([...found].slice(0, 10)).toEqual([
      ...[1, 1.125, 1.25, 1.375, 1.5, 1.625, 1.75, 1.875, 2, 2.25],
    ]);
  });

  test("another shape is refused", async () => {
    const id = npy(ids, { descr, shape: [TOKENS, SEQUENCES] });
    writeFileSync(input, zip({ "logits.npy": three, "id.npy": id }));
    await expect(built.run({ ...kept, output: at("no") })).rejects.toThrow(
      `${input}: array id: expected numbers of shape [20] or [5, 4] or [5] to keep, found id: float32 [4, 5]`,
    );
  });
});
