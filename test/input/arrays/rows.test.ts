import fs from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { npy, safetensors, zip } from "../../support/array-files.js";
import {
  ARRAY_TYPES,
  type ArrayForm,
  arrayFile,
} from "../../support/array-types.js";
import { arrowOf } from "../../support/arrow-columns.js";
import { built } from "../../support/built.js";
import { inputRuns, rows } from "../../support/input-runs.js";
import { openedInput } from "../../support/opened-input.js";

// Rows of arrays, compared with the number that each index implies.

const { at, input } = inputRuns();

/** Yields the indices of a shape in C order. */
function* indices([length, ...rest]: readonly number[]): Generator<number[]> {
  if (length === undefined) yield [];
  for (let k = 0; k < (length ?? 0); k++)
    for (const index of indices(rest)) yield [k, ...index];
}

/** Returns a number below 65,521 that differs between most indices. */
function numberAt(index: readonly number[]): number {
  return index.reduce((sum, k, n) => (sum * 31 + k * (n + 7)) % 65_521, 1);
}

function numbersOf(type: string): (n: number) => number {
  return ARRAY_TYPES[type]?.[3] as (n: number) => number;
}

function writeArray(type: string, shape: number[], form: ArrayForm): void {
  const number = numbersOf(type);
  const order = form.fortran ? shape.toReversed() : shape;
  const numbers = Array.from(indices(order), (index) =>
    number(numberAt(form.fortran ? index.reverse() : index)),
  );
  fs.writeFileSync(input, arrayFile(type, numbers, shape, form));
}

/** Returns the rows of numpy.moveaxis(x, axis, -1).reshape(-1, classes). */
function expectedRows(type: string, shape: number[], axis: number): number[][] {
  const number = numbersOf(type);
  return Array.from(indices(shape.toSpliced(axis, 1)), (index) =>
    Array.from({ length: shape[axis] as number }, (_, k) =>
      number(numberAt(index.toSpliced(axis, 0, k))),
    ),
  );
}

test("arrays of any type, shape, order and container", async () => {
  const options = {
    type: fc.constantFrom(...Object.keys(ARRAY_TYPES)),
    lengths: fc.array(fc.nat(4), { minLength: 2, maxLength: 5 }),
    nthAxis: fc.nat(),
    fortran: fc.boolean(),
    bigEndian: fc.boolean(),
    container: fc.constantFrom<ArrayForm["container"]>(
      ...([1, 2, 3, "safetensors", {}, { deflated: true }] as const),
      ...[{ zip64: "local" as const }, { sizesBehind: true }],
      { zip64: "all", comment: "PK\x05\x06, and more" },
      { zip64: "all", deflated: true, sizesBehind: true },
    ),
  };
  const property = fc.asyncProperty(
    fc.record(options),
    async ({ type, lengths, nthAxis, ...form }) => {
      const axis = nthAxis % lengths.length;
      const shape = lengths.with(axis, lengths[axis] || 1);
      if (ARRAY_TYPES[type]?.[0] === null) form.container = "safetensors";
      if (form.container === "safetensors") form.fortran = false;
      writeArray(type, shape, form);
      const isUsual = axis === shape.length - 1 && shape.length < 4;
      const axes = [axis, axis - shape.length, ...(isUsual ? [undefined] : [])];
      for (const classAxis of axes)
        expect(await openedInput(input, { classAxis })).toMatchObject({
          type,
          dtype: /float(16|32)/.test(type) ? "float32" : "float64",
          leading: shape.toSpliced(axis, 1),
          sources: [expectedRows(type, shape, axis)],
        });
    },
  );
  await fc.assert(property, { numRuns: 500, seed: 3 });
});

// More than 2^20 numbers are copied in several tiles, of which the last on an axis may be shorter.
test.each<[shape: number[], axis: number, fortran: boolean]>([
  [[7, 3, 1201, 47], 1, false],
  [[2, 2, 300_007], 1, true],
])("tiles of %j, classes on axis %i", async (shape, classAxis, fortran) => {
  writeArray("uint16", shape, { fortran, bigEndian: true });
  const { sources } = await openedInput(input, { classAxis });
  const expected = expectedRows("uint16", shape, classAxis);
  expect(sources[0]?.flat()).toEqual(expected.flat());
});

test.each([
  "{'shape': (2L, 3L), 'fortran_order': False, 'descr': '<f8'}",
  '{"descr":"<f8","fortran_order":False,"shape":(2,3)}',
  "  { 'descr' : u'<f8' , 'fortran_order' : False , 'shape' : [ 2 , 3 , ] , } ",
  `{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), ${" ".repeat(9000)}}`,
  "{'fortran_order':\t\nFalse,\r'shape': [2L,3 ], 'descr': u\"<f8\"}",
])("header of other writers: %s", async (header) => {
  fs.writeFileSync(input, npy(Float64Array.of(1, 2, 3, 4, 5, 6), { header }));
  const sources = [rows("1 2 3; 4 5 6")];
  expect(await openedInput(input)).toMatchObject({ sources });
});

test("other arrays beside one whose fields have odd names", async () => {
  const fields = `[("it's (a], [b)", '<f4'), ('\\\\x41', '<u2', (2,)), ('"L', '|S3')]`;
  const header = `{'descr': ${fields}, 'fortran_order': False, 'shape': (3,), }`;
  const members = {
    "odd.npy": npy(new Uint8Array(33), { header }),
    "o.npy": npy(Float64Array.of(1, 2), [1, 2]),
  };
  fs.writeFileSync(input, zip(members));
  expect(await openedInput(input)).toMatchObject({ sources: [[[1, 2]]] });
});

/** Returns the value of a sign, exponent and fraction in the form of IEEE 754. */
function floatOf(bits: number, fractionBits: number, bias: number): number {
  const exponent = (bits & 0x7f) >> fractionBits;
  const fraction = (bits & ((1 << fractionBits) - 1)) / 2 ** fractionBits;
  const size =
    exponent === 0
      ? fraction * 2 ** (1 - bias)
      : (1 + fraction) * 2 ** (exponent - bias);
  return bits & 0x80 ? -size : size;
}

function e4m3(bits: number): number {
  return (bits & 0x7f) === 0x7f ? Number.NaN : floatOf(bits, 3, 7);
}

function e5m2(bits: number): number {
  if ((bits & 0x7f) > 0x7c) return Number.NaN;
  if ((bits & 0x7f) === 0x7c) return bits & 0x80 ? -Infinity : Infinity;
  return floatOf(bits, 2, 15);
}

test.each([
  ["F8_E4M3", e4m3, 448],
  ["F8_E5M2", e5m2, 57344],
] as const)("all numbers of %s", async (dtype, expected, greatest) => {
  const values = Uint8Array.from({ length: 256 }, (_, bits) => bits);
  const file = safetensors({ o: { dtype, shape: [64, 4], values } });
  fs.writeFileSync(input, file);
  const { sources, ...opened } = await openedInput(input);
  expect(opened).toMatchObject({ dtype: "float32", classes: 4 });
  const found = sources[0]?.flat() as number[];
  expect(found).toEqual(Array.from(values, expected));
  expect(Math.max(...found.filter(Number.isFinite))).toBe(greatest);
});

const zeros = (...shape: number[]) =>
  npy(new Float64Array(shape.reduce((a, b) => a * b, 1)), shape);

const arrays = (...second: number[]) =>
  zip({ "b_0.npy": zeros(5, 2, 3), "b_1.npy": zeros(...second) });

test.each<[columns: string, leading: number[], file: Uint8Array]>([
  ["b_*", [6, 2], arrays(1, 2, 3)],
  ["b_*", [14], arrays(1, 4, 3)],
  ["a,b", [3], arrowOf({ a: [[1, 2, 3], "int32"], b: [[4, 5, 6], "int32"] })],
])("axes of the rows of %s: %j", async (columns, leading, file) => {
  fs.writeFileSync(input, file);
  const rows = leading.reduce((a, b) => a * b, 1);
  const opened = await openedInput(input, { columns });
  expect(opened).toMatchObject({ leading, rows });
});

/** Rows and classes of an array of 5 GiB, which is sparse on disk. */
const LARGE = [2 ** 28 + 5, 5] as const;

test.each([false, true])(
  "rows past 4 GiB (Fortran order: %s)",
  async (fortran) => {
    const [rows, classes] = LARGE;
    const path = at("large");
    const form = { descr: "<f4", shape: LARGE, fortran };
    const header = npy(new Uint8Array(0), form);
    const fd = fs.openSync(path, "w");
    fs.writeSync(fd, header);
    fs.ftruncateSync(fd, header.length + 4 * rows * classes);
    const row = rows - 2;
    for (let k = 0; k < classes; k++) {
      const value = fortran ? k * rows + row : row * classes + k;
      fs.writeSync(fd, Float32Array.of(k + 1), 0, 4, header.length + 4 * value);
    }
    fs.closeSync(fd);
    expect(fs.statSync(path).size).toBeGreaterThan(2 ** 32);
    const { sources } = await openedInput(path, {}, [rows - 3, rows]);
    const none = [0, 0, 0, 0, 0];
    expect(sources).toEqual([[none, [1, 2, 3, 4, 5], none]]);
    const plan = await built.dryRun({ input: path, output: at("none") });
    const expected = { column: "array", sourceDtype: "float32" };
    expect(plan).toMatchObject({ rows, classes, ...expected });
  },
);
