import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { JACOBIAN } from "../../src/kernels/portable/codes.js";
import { hardRows } from "../support/hard-rows.js";
import { blocks, testKernel } from "../support/kernels.js";
import { normal, random } from "../support/random.js";

const plain = testKernel("plain");
const simd = testKernel("simd");

/** Compares bit patterns, -0 and NaN as they are. */
function sameBits(
  a: Float64Array | Float32Array,
  b: Float64Array | Float32Array,
): boolean {
  const bytes = ({ buffer, byteOffset, byteLength }: typeof a) =>
    Buffer.from(buffer, byteOffset, byteLength);
  return bytes(a).equals(bytes(b));
}

function expectSameBits(
  rows: ArrayLike<number>[],
  source: "float32" | "float64",
  out: "float32" | "float64",
): void {
  const a = blocks(plain, rows, source, out);
  const b = blocks(simd, rows, source, out);
  expect(sameBits(b.softmax, a.softmax)).toBe(true);
  expect(sameBits(b.jacobian, a.jacobian)).toBe(true);
  expect(b.bad).toEqual(a.bad);
}

const TYPES = ["float32", "float64"] as const;

describe.each(TYPES)("from %s", (source) => {
  describe.each(TYPES)("to %s", (out) => {
    test("hard rows", () => {
      for (const { rows } of hardRows())
        for (const row of rows) expectSameBits([row], source, out);
    });

    test.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 17, 64, 101])(
      "%i classes",
      (classes) => {
        const gauss = normal(random(classes));
        const rows = Array.from({ length: 20 }, () =>
          Array.from({ length: classes }, () => 6 * gauss()),
        );
        expectSameBits(rows, source, out);
      },
    );
  });
});

test("any doubles at all, NaN and infinities included", () => {
  const row = fc.array(fc.double(), { minLength: 5, maxLength: 5 });
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 8 }), (rows) => {
      expectSameBits(rows, "float64", "float64");
    }),
    { numRuns: 500, seed: 1 },
  );
});

test("bad rows are found, and their results are 0", () => {
  const rows = [
    [1, 2, 3],
    [1, Number.NaN, 3],
    [Number.POSITIVE_INFINITY, 0, 0],
    [-Infinity, -Infinity, -Infinity],
    [-Infinity, 0, -Infinity],
    [Number.POSITIVE_INFINITY, Number.NaN, 0],
  ];
  for (const memory of [plain, simd]) {
    const { bad, softmax, jacobian } = blocks(
      memory,
      rows,
      "float64",
      "float64",
    );
    expect(bad).toEqual([1, 2, 3, 5]);
    for (const r of bad) {
      expect([...softmax.subarray(3 * r, 3 * r + 3)]).toEqual([0, 0, 0]);
      expect(jacobian.subarray(9 * r, 9 * r + 9).every((x) => x === 0)).toBe(
        true,
      );
    }
    expect([...softmax.subarray(12, 15)]).toEqual([0, 1, 0]);
  }
});

test("separate columns are put in row-major order, and rows numbered", () => {
  for (const { kernel, buffer } of [plain, simd]) {
    for (const bytes of [4, 8]) {
      const at = (address: number) =>
        bytes === 4
          ? new Float32Array(buffer, address, 6)
          : new Float64Array(buffer, address, 6);
      at(1024).set([1, 2, 10, 20, 100, 200]);
      kernel.interleave(1024, 2, 3, bytes, 2048);
      expect([...at(2048)]).toEqual([1, 10, 100, 2, 20, 200]);
    }
    kernel.storeRowNumbers(2 ** 40, 3, 4096);
    expect([...new BigInt64Array(buffer, 4096, 3)]).toEqual([
      1099511627776n,
      1099511627777n,
      1099511627778n,
    ]);
  }
});

test("a value is repeated as often as asked, and no further", () => {
  for (const { kernel, buffer } of [plain, simd])
    for (const bytes of [4, 8])
      for (const count of [0, 1, 2, 3, 4, 7, 64, 65]) {
        const words = new Int32Array(buffer, 1024, 200).fill(-1);
        new Int32Array(buffer, 512, 2).set([0x12345678, 0x0abcdef0]);
        kernel.repeat(1024, 512, bytes, count);
        const value = bytes === 4 ? [0x12345678] : [0x12345678, 0x0abcdef0];
        const expected = Array.from({ length: count }, () => value).flat();
        expect([...words.subarray(0, expected.length + 3)]).toEqual([
          ...expected,
          -1,
          -1,
          -1,
        ]);
      }
});

test("a block in tiles is the block", () => {
  const gauss = normal(random(3));
  const row = Array.from({ length: 11 }, gauss);
  for (const { kernel, buffer } of [plain, simd]) {
    const whole = blocks({ kernel, buffer }, [row], "float64", "float64");
    new Float64Array(buffer, 64, 11).set(row);
    kernel.prepare(1024);
    kernel.loadRow(64, false, 11, 1, 1024);
    for (const [start, end] of [
      [0, 4],
      [4, 5],
      [5, 11],
    ] as const) {
      kernel.storeResult(JACOBIAN, 1024, 11, start, end, 0, 0, 65536, false);
      const tile = new Float64Array(buffer, 65536, (end - start) * 11).slice();
      expect(sameBits(tile, whole.jacobian.slice(start * 11, end * 11))).toBe(
        true,
      );
    }
  }
});
