import { closeSync, openSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { softjac, wordsOf } from "../../cli/support.js";
import {
  columnsFirst,
  npy,
  safetensors,
  zip,
} from "../../support/array-files.js";
import { built } from "../../support/built.js";
import { inputRuns } from "../../support/input-runs.js";
import { openedInput, openRefusal } from "../../support/opened-input.js";

// Labels and copied arrays of every shape, in the file of the logits or in an .npy file.

const { at, input, valuesOf } = inputRuns();
const own = at("y.npy");
const [SEQUENCES, TOKENS, CLASSES] = [5, 4, 3];
const ROWS = SEQUENCES * TOKENS;
const TWO = [ROWS, CLASSES];
const THREE = [SEQUENCES, TOKENS, CLASSES];
const rowsOf = <T>(value: (row: number) => T) =>
  Array.from({ length: ROWS }, (_, row) => value(row));
const logits = Float64Array.from(
  { length: ROWS * CLASSES },
  (_, k) => ((k * 5) % 13) / 4,
);
const classes = rowsOf((row) => (row * 7) % CLASSES);
const oneHot = Float32Array.from(logits, (_, k) =>
  Number(k % CLASSES === classes[Math.floor(k / CLASSES)]),
);
const int = (...shape: number[]) => npy(Int32Array.from(classes), shape);
const hot = (...shape: number[]) => npy(oneHot, shape);
const perSequence = rowsOf((row) => (Math.floor(row / TOKENS) * 2) % CLASSES);

const first = Int16Array.from({ length: SEQUENCES }, (_, k) => (2 * k) % 3);
const asBig = (values: Int32Array | Float32Array, ...shape: number[]) => {
  const descr = values instanceof Int32Array ? ">i4" : ">f4";
  return npy(Buffer.from(values.buffer.slice()).swap32(), { descr, shape });
};
const turned = { shape: TWO, fortran: true };

test.each<[shape: number[], y: Buffer, expected?: number[]]>([
  [TWO, int(ROWS)],
  [TWO, npy(Uint8Array.from(classes), [ROWS, 1])],
  [TWO, hot(ROWS, CLASSES)],
  [TWO, npy(columnsFirst(oneHot, ROWS), turned)],
  [TWO, asBig(Int32Array.from(classes), ROWS)],
  [THREE, int(ROWS)],
  [THREE, int(SEQUENCES, TOKENS)],
  [THREE, int(SEQUENCES, TOKENS, 1)],
  [THREE, hot(SEQUENCES, TOKENS, CLASSES)],
  [THREE, asBig(oneHot, ...THREE)],
  [THREE, npy(first, [SEQUENCES]), perSequence],
])("logits of shape %j, labels %#", async (shape, y, label = classes) => {
  writeFileSync(own, y);
  const o = npy(logits, shape);
  const values = { dtype: "F64", shape, values: logits };
  const { cross_entropy } = built.softmaxResults(logits, {
    ...{ rows: ROWS, classes: CLASSES, label, emit: ["cross_entropy"] },
  });
  for (const [file, name] of [
    [zip({ "o.npy": o, "y.npy": y }), "y"],
    [zip({ "o.npy": o, "y.npy": y }, { deflated: true }), "y"],
    [o, own],
    [zip({ "o.npy": o }), own],
    [safetensors({ o: values }), own],
    // The name of an array takes precedence over a path.
    [zip({ "o.npy": o, [`${own}.npy`]: y }), own],
  ] as const) {
    const emit = ["cross_entropy"];
    const column = file === o ? undefined : "o";
    const options = { column, label: name, emit, chunkRows: 7 };
    if (file.includes(`${own}.npy`)) writeFileSync(own, "not read");
    expect(await valuesOf(file, "cross_entropy", options)).toEqual([
      ...(cross_entropy as Float64Array),
    ]);
  }
});

const SHAPES = "[20] or [20, 1] or [20, 3] for --label";

/** Files of labels by the message that refuses them. */
const REFUSED: Record<string, Buffer> = {
  [`UNSUPPORTED file: array: expected class numbers of shape ${SHAPES}, found int32 [5]; write one class number from 0 for each row`]:
    npy(new Int32Array(5), [5]),
  [`UNSUPPORTED file: array: expected class numbers of shape ${SHAPES}, found <U1 (text) [20]; if the text is numbers, save x.astype("f8")`]:
    npy(new Uint8Array(80), { descr: "<U1", shape: [ROWS] }),
  'FORMAT file: header: expected \\x93NUMPY in the first bytes, found "0,1,2,"':
    Buffer.from("0,1,2,1,0,2\n"),
  "FORMAT file: header: expected 80 bytes of values for shape (20) of int32, found 79: the file is truncated":
    int(ROWS).subarray(0, -1),
  "FORMAT file: array, row 0: expected a class number or a one-hot row (one 1 among zeros); convert other rows with argmax":
    npy(new Float64Array(60), TWO),
};

test.each(Object.entries(REFUSED))("ERR_INPUT_%s", async (text, y) => {
  writeFileSync(input, npy(logits, TWO));
  writeFileSync(own, y);
  const firstFree = () => {
    const fd = openSync(input, "r");
    closeSync(fd);
    return fd;
  };
  const free = firstFree();
  const inputs = [{ option: "label" as const, name: own }];
  const found = await openRefusal(input, { inputs });
  expect(found.replace(own, "file")).toBe(`ERR_INPUT_${text}`);
  expect(firstFree()).toBe(free);
});

test("a missing file, and a label file of a dataset", async () => {
  const name = at("missing.npy");
  writeFileSync(input, npy(logits, TWO));
  const inputs = [{ option: "label" as const, name }];
  expect(await openRefusal(input, { inputs })).toBe(
    `ERR_LOGITS_COLUMN file: --label ${name}: no such array; the file has float64 [20, 3], and there is no .npy file at this path`,
  );
  const args = wordsOf`-o ${at("dataset/")} --label ${own} --emit cross_entropy`;
  expect(softjac("run", input, ...args)).toMatchObject({
    status: 64,
    stderr:
      "softjac: --label: a dataset reads the labels from its inputs; save logits and labels in one file with numpy.savez\n",
  });
});

const ids = Float32Array.from({ length: ROWS }, (_, k) => 3 - k);
const byToken = { descr: "<f4", shape: [SEQUENCES, TOKENS] };
const some = Int16Array.of(9, -8, 7, 5, 6);
const repeated = rowsOf((row) => some[Math.floor(row / TOKENS)]);
const inTurn = columnsFirst(ids, SEQUENCES);

test.each<[form: string, id: Buffer, expected?: unknown[]]>([
  ["(rows,)", npy(ids, { descr: "<f4", shape: [ROWS] })],
  ["all axes", npy(ids, byToken)],
  ["Fortran order", npy(inTurn, { ...byToken, fortran: true })],
  ["big-endian", asBig(ids, SEQUENCES, TOKENS)],
  ["the first axis", npy(some, [SEQUENCES]), repeated],
])("copied array: %s", async (_, id, expected = [...ids]) => {
  const members = { "o.npy": npy(logits, THREE), "id.npy": id };
  for (const layout of ["bsr", "csr"]) {
    const file = zip(members, { deflated: layout === "csr" });
    const options = { column: "o", keep: ["id"], layout, chunkRows: 3 };
    expect(await valuesOf(file, "id", options)).toEqual(expected);
  }
});

test("a copied array of float8 becomes float32", async () => {
  const codes = Uint8Array.from({ length: ROWS }, (_, k) => 0x38 + k);
  const tensors = {
    o: { dtype: "F64", shape: TWO, values: logits },
    id: { dtype: "F8_E4M3", shape: [ROWS], values: codes },
  };
  const options = { column: "o", keep: ["id"], onBadRow: "skip" };
  const found = await valuesOf(safetensors(tensors), "id", options);
  // 1 to 2 in steps of 1/8, then in steps of 1/4.
  expect(found.slice(0, 10)).toEqual([
    ...[1, 1.125, 1.25, 1.375, 1.5, 1.625, 1.75, 1.875, 2, 2.25],
  ]);
  const { copied } = await openedInput(input, { column: "o", keep: ["id"] });
  expect(copied[0]?.field.type).toEqual({
    kind: "FloatingPoint",
    precision: 1,
  });
});
