import { readFileSync, writeFileSync } from "node:fs";
import { tableFromIPC } from "@uwdata/flechette";
import { expect, test } from "vitest";
import { columnsFirst, npy, zip } from "../../support/array-files.js";
import { built } from "../../support/built.js";
import { workDirectory } from "../../support/logits-input.js";

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
const crossEntropy = classes.map((label, row) => {
  const z = logits.subarray(row * CLASSES, (row + 1) * CLASSES);
  const sum = z.reduce((total, o) => total + Math.exp(o), 0);
  return expect.closeTo(Math.log(sum) - (z[label] as number), 12);
});
const oneHot = Float32Array.from({ length: ROWS * CLASSES }, (_, k) =>
  Number(k % CLASSES === classes[Math.floor(k / CLASSES)]),
);
const numbers = Int32Array.from(classes);
const int = (...shape: number[]) => npy(numbers, { descr: "<i4", shape });
const hot = (...shape: number[]) => npy(oneHot, { descr: "<f4", shape });

const two = npy(logits, { shape: [ROWS, CLASSES] });
const three = npy(logits, { shape: [SEQUENCES, TOKENS, CLASSES] });

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
    await built.run({
      input,
      output,
      column: "logits",
      label: "y",
      emit: ["cross_entropy"],
      chunkRows: 7,
      force: true,
    });
    const found = tableFromIPC(readFileSync(output)).getChild("cross_entropy");
    expect([...found.toArray()]).toEqual(crossEntropy);
    const verified = await built.verify({ output, input, all: true });
    expect(verified).toMatchObject({ ok: true, problems: [] });
  }
});

test.each<[name: string, label: Buffer, message: string]>([
  [
    "rows that are not one-hot",
    npy(
      oneHot.map((value, k) => (k === 8 ? 0.5 : value)),
      {
        descr: "<f4",
        shape: [ROWS, CLASSES],
      },
    ),
    "array y, row 2: expected a class number or a one-hot row (one 1 among zeros)",
  ],
  [
    "another number of rows",
    npy(new Int32Array(3), { descr: "<i4", shape: [3] }),
    `array y: expected class numbers of shape [${ROWS}] or [${ROWS}, 1] or [${ROWS}, ${CLASSES}] for --label, found y: int32 [3]`,
  ],
])("labels of %s are refused", async (_, label, message) => {
  writeFileSync(input, zip({ "logits.npy": two, "y.npy": label }));
  await expect(
    built.run({
      input,
      output: at("none.arrow"),
      column: "logits",
      label: "y",
      emit: ["cross_entropy"],
    }),
  ).rejects.toThrow(`${input}: ${message}`);
});

test("labels of sequences are those of all their tokens", async () => {
  const y = Int16Array.from({ length: SEQUENCES }, (_, k) => (k * 2) % CLASSES);
  const label = npy(y, { descr: "<i2", shape: [SEQUENCES] });
  const members = { "logits.npy": three, "y.npy": label };
  const options = { input, column: "logits", label: "y", force: true };
  const emit = ["cross_entropy" as const];
  writeFileSync(input, zip(members));
  await built.run({ ...options, output, emit, chunkRows: 3 });
  const table = tableFromIPC(readFileSync(output));
  const expected = Array.from({ length: ROWS }, (_, row) => {
    const z = logits.subarray(row * CLASSES, (row + 1) * CLASSES);
    const sum = z.reduce((total, o) => total + Math.exp(o), 0);
    const own = z[y[Math.floor(row / TOKENS)] as number] as number;
    return expect.closeTo(Math.log(sum) - own, 12);
  });
  expect([...table.getChild("cross_entropy").toArray()]).toEqual(expected);
  const verified = await built.verify({ output, input, all: true });
  expect(verified).toMatchObject({ ok: true, problems: [] });
});

test("arrays of all axes of the rows are copied", async () => {
  const ids = Float32Array.from({ length: ROWS }, (_, k) => 3 - k);
  const shape = [SEQUENCES, TOKENS];
  const id = npy(ids, { descr: "<f4", shape });
  writeFileSync(input, zip({ "logits.npy": three, "id.npy": id }));
  const options = { input, column: "logits", keep: ["id"], force: true };
  await built.run({ ...options, output, emit: ["argmax"] });
  const table = tableFromIPC(readFileSync(output));
  expect(table.getChild("id").toArray()).toEqual(ids);
  const turned = npy(ids, { descr: "<f4", shape, fortran: true });
  writeFileSync(input, zip({ "logits.npy": three, "id.npy": turned }));
  await expect(
    built.run({ ...options, output: at("none.arrow") }),
  ).rejects.toThrow(
    `${input}: array id: expected numbers of shape [20] or [5, 4] to keep, found id: float32 [5, 4] in Fortran order; convert it first, in NumPy with numpy.ascontiguousarray`,
  );
});
