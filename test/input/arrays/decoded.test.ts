import { readFileSync, writeFileSync } from "node:fs";
import { tableFromIPC } from "@uwdata/flechette";
import { describe, expect, test } from "vitest";
import { InputRows } from "../../../src/input/input-rows.js";
import type { OpenOptions } from "../../../src/input/logits-file.js";
import { openLogits } from "../../../src/input/open-logits.js";
import { LIMITS } from "../../../src/io/limits.js";
import { npy, safetensors, zip } from "../../support/array-files.js";
import { built } from "../../support/built.js";
import { workDirectory } from "../../support/logits-input.js";

// Arrays that are not read in place: their rows, against what the index of each number says.

const at = workDirectory();
const input = at("in");

async function rowsOf(
  path: string,
  options: Partial<OpenOptions> = {},
): Promise<{ rows: number[][]; leading: readonly number[] }> {
  const opened = await openLogits(path, {
    keep: [],
    ownNames: [],
    inputs: [],
    ...options,
  });
  try {
    const input = new InputRows(opened);
    await input.load(0, opened.rows);
    const { leading } = opened;
    return {
      rows: Array.from({ length: opened.rows }, (_, row) => [
        ...input.values(row, 0),
      ]),
      leading,
    };
  } finally {
    opened.close();
  }
}

/** Every index of a shape, in C order; it is one array that changes. */
function* indices(shape: readonly number[]): Generator<readonly number[]> {
  const index = shape.map(() => 0);
  const total = shape.reduce((a, b) => a * b, 1);
  for (let n = 0; n < total; n++) {
    yield index;
    let axis = shape.length - 1;
    for (; axis >= 0 && index[axis] === (shape[axis] as number) - 1; axis--)
      index[axis] = 0;
    if (axis >= 0) index[axis] = (index[axis] as number) + 1;
  }
}

/** The number at an index: another one at each, up to 65,535. */
function numberAt(index: readonly number[]): number {
  return index.reduce(
    (sum, k, axis) => (sum * 31 + k * (axis + 7)) % 65_521,
    1,
  );
}

/** An array of numberAt as uint16. */
function arrayOf(shape: readonly number[], fortran: boolean, big: boolean) {
  const order = fortran ? shape.toReversed() : shape;
  const numbers = new DataView(
    new ArrayBuffer(2 * order.reduce((a, b) => a * b, 1)),
  );
  let k = 0;
  for (const index of indices(order)) {
    const value = numberAt(fortran ? index.toReversed() : index);
    numbers.setUint16(2 * k++, value, !big);
  }
  return npy(numbers, { descr: big ? ">u2" : "<u2", shape, fortran });
}

/** The rows that numpy.moveaxis(x, axis, -1).reshape(-1, classes) has. */
function expectedRows(shape: readonly number[], axis: number): number[][] {
  const leading = shape.filter((_, k) => k !== axis);
  return Array.from(indices(leading), (index) =>
    Array.from({ length: shape[axis] as number }, (_, k) =>
      numberAt(index.toSpliced(axis, 0, k)),
    ),
  );
}

describe("shapes", () => {
  const shapes: number[][] = [
    [4, 3],
    [1, 3],
    [4, 1],
    [2, 3, 4],
    [1, 3, 1],
    [2, 1, 3, 1, 4],
    [3, 2, 4, 5],
    [0, 3],
    [2, 0, 3],
  ];
  const cases = shapes.flatMap((shape) =>
    shape.flatMap((classes, axis) => (classes === 0 ? [] : [{ shape, axis }])),
  );

  test.each(cases)("$shape, classes on axis $axis", async ({ shape, axis }) => {
    const expected = expectedRows(shape, axis);
    for (const fortran of [false, true])
      for (const big of [false, true]) {
        writeFileSync(input, arrayOf(shape, fortran, big));
        for (const classAxis of [axis, axis - shape.length]) {
          const { rows, leading } = await rowsOf(input, { classAxis });
          expect(rows).toEqual(expected);
          expect(leading).toEqual(shape.filter((_, k) => k !== axis));
        }
        if (axis !== shape.length - 1 || shape.length > 3) continue;
        expect((await rowsOf(input)).rows).toEqual(expected);
      }
  });

  // More than 2^20 numbers are copied in several pieces, of which the last on an axis may be shorter.
  test.each<[shape: number[], axis: number, fortran: boolean]>([
    [[1_100_003, 1], 0, false],
    [[7, 3, 1201, 47], 1, false],
    [[2, 2, 300_007], 1, true],
  ])(
    "%j, classes on axis %i, Fortran order: %s",
    async (shape, axis, fortran) => {
      writeFileSync(input, arrayOf(shape, fortran, true));
      const { rows } = await rowsOf(input, { classAxis: axis });
      const found = rows.flat();
      const moved = [...shape.keys()].filter((k) => k !== axis).concat(axis);
      const lengths = moved.map((k) => shape[k] as number);
      let k = 0;
      const wrong: number[] = [];
      for (const index of indices(lengths)) {
        const own = index
          .slice(0, -1)
          .toSpliced(axis, 0, index.at(-1) as number);
        if (found[k++] !== numberAt(own)) wrong.push(k - 1);
      }
      expect(k).toBe(found.length);
      expect(wrong).toEqual([]);
    },
  );
});

test.each([
  ["f8", 8, "Float64"],
  ["f4", 4, "Float32"],
  ["i8", 8, "BigInt64"],
  ["u8", 8, "BigUint64"],
  ["i4", 4, "Int32"],
  ["u4", 4, "Uint32"],
  ["i2", 2, "Int16"],
  ["u2", 2, "Uint16"],
  ["i1", 1, "Int8"],
] as const)("big-endian %s", async (type, width, kind) => {
  const value = (k: number) => (/[fi]/.test(type) ? k - 7 : k) * 5;
  const bytes = new DataView(new ArrayBuffer(12 * width));
  for (let k = 0; k < 12; k++)
    bytes[`set${kind}`](
      k * width,
      (/^Big/.test(kind) ? BigInt(value(k)) : value(k)) as never,
      false,
    );
  const logits = npy(bytes, { descr: `>${type}`, shape: [4, 3] });
  const label = new DataView(new ArrayBuffer(16));
  for (const [k, y] of [2, 0, 1, 2].entries()) label.setInt32(4 * k, y);
  const members = {
    "o.npy": logits,
    "t.npy": npy(bytes, { descr: `>${type}`, shape: [4, 3] }),
    "y.npy": npy(label, { descr: ">i4", shape: [4] }),
  };
  const numbers = Float64Array.from({ length: 12 }, (_, k) => value(k));
  const isFloat = type.startsWith("f");
  for (const deflated of [false, true]) {
    writeFileSync(input, zip(members, { deflated }));
    const { rows } = await rowsOf(input, { column: "o" });
    expect(rows.flat()).toEqual([...numbers]);
    const output = at("big-endian.arrow");
    await built.run({
      ...{ input, output, column: "o", label: "y", force: true },
      emit: isFloat
        ? ["softmax", "cross_entropy", "jvp"]
        : ["softmax", "cross_entropy"],
      ...(isFloat && { tangent: "t" }),
      dtype: "float64",
    });
    const table = tableFromIPC(readFileSync(output));
    const { softmax, cross_entropy } = built.softmaxResults(numbers, {
      ...{ rows: 4, classes: 3, label: [2, 0, 1, 2] },
      emit: ["softmax", "cross_entropy"],
    });
    const found = [...table.getChild("softmax").toArray()].flatMap((row) => [
      ...row,
    ]);
    expect(found).toEqual([...softmax]);
    expect([...table.getChild("cross_entropy").toArray()]).toEqual([
      ...cross_entropy,
    ]);
    const report = await built.verify({ output, input, all: true });
    expect(report).toMatchObject({ ok: true, problems: [] });
  }
});

test("big-endian int64 keep every bit", async () => {
  // As float64 these bits are signalling NaNs, which an assignment would change.
  const bytes = new DataView(new ArrayBuffer(32));
  const values = [-4503599627370495n, -4503599627370000n, 5n, -1n];
  for (const [k, value] of values.entries()) bytes.setBigInt64(8 * k, value);
  for (const fortran of [false, true]) {
    writeFileSync(input, npy(bytes, { descr: ">i8", shape: [2, 2], fortran }));
    const { rows } = await rowsOf(input);
    const order = fortran ? [0, 2, 1, 3] : [0, 1, 2, 3];
    expect(rows.flat()).toEqual(order.map((k) => Number(values[k])));
  }
});

describe("floats of 8 bits", () => {
  /** Value of sign, exponent and fraction, by the definition of IEEE 754 for such a format. */
  const value = (bits: number, fractionBits: number, bias: number) => {
    const exponent = (bits & 0x7f) >> fractionBits;
    const fraction = (bits & ((1 << fractionBits) - 1)) / 2 ** fractionBits;
    const size =
      exponent === 0
        ? fraction * 2 ** (1 - bias)
        : (1 + fraction) * 2 ** (exponent - bias);
    return bits & 0x80 ? -size : size;
  };
  const e4m3 = (bits: number) =>
    (bits & 0x7f) === 0x7f ? Number.NaN : value(bits, 3, 7);
  const e5m2 = (bits: number) => {
    const size = bits & 0x7f;
    if (size > 0x7c) return Number.NaN;
    if (size === 0x7c) return bits & 0x80 ? -Infinity : Infinity;
    return value(bits, 2, 15);
  };

  test.each([
    ["F8_E4M3", e4m3, 448],
    ["F8_E5M2", e5m2, 57344],
  ] as const)("all numbers of %s", async (dtype, expected, greatest) => {
    const values = Uint8Array.from({ length: 256 }, (_, bits) => bits);
    const file = safetensors({ o: { dtype, shape: [64, 4], values } });
    writeFileSync(input, file);
    const { rows } = await rowsOf(input);
    const found = rows.flat();
    expect(found).toEqual(Array.from(values, expected));
    expect(Object.is(found[128], -0)).toBe(true);
    expect(Math.max(...found.filter(Number.isFinite))).toBe(greatest);
    const report = await built.run({
      ...{ input, output: at(`${dtype}.arrow`), onBadRow: "skip" },
    });
    expect(report).toMatchObject({ dtype: "float32", classes: 4 });
  });
});

test("a shape of more bytes than the limit is not decoded", async () => {
  writeFileSync(input, arrayOf([4, 3], false, true));
  const usual = LIMITS.maxDecodedBytes;
  LIMITS.maxDecodedBytes = 23;
  try {
    await expect(
      openLogits(input, { keep: [], ownNames: [], inputs: [] }),
    ).rejects.toThrow(
      `${input}: array: expected at most 23 decoded bytes, found 24`,
    );
  } finally {
    LIMITS.maxDecodedBytes = usual;
  }
});

test("an array of more dimensions than the limit", async () => {
  const shape = [...new Array(64).fill(1), 3];
  writeFileSync(input, npy(new Float64Array(3), shape));
  await expect(
    built.run({ input, output: at("none"), classAxis: 0 }),
  ).rejects.toThrow(
    `${input}: array: expected at most 64 dimensions, found 65`,
  );
});

test.each<
  [shape: number[], classAxis: number, fortran: boolean, form: string | null]
>([
  [[4, 3], 1, false, "fixed-size-list"],
  [[4, 3], 1, true, "columns"],
  [[4, 3], 0, false, "columns"],
  [[4, 3], 0, true, "fixed-size-list"],
  [[2, 4, 3], 2, false, "fixed-size-list"],
  [[2, 4, 3], 0, false, "columns"],
  [[1, 4, 3], 1, false, "columns"],
  [[2, 4, 3], 1, false, null],
  [[2, 4, 3], 2, true, null],
])(
  "%j, classes on axis %i, Fortran order: %s: read in place as %s",
  async (shape, classAxis, fortran, form) => {
    writeFileSync(input, arrayOf(shape, fortran, false));
    const options = { keep: [], ownNames: [], inputs: [] };
    const opened = await openLogits(input, { ...options, classAxis });
    opened.close();
    const [fd] = opened.decodedFds;
    expect(fd === null ? opened.storage : null).toBe(form);
  },
);
