import { describe, expect, test } from "vitest";
import { PRODUCT, SOFTMAX } from "../../src/kernels/portable/codes.js";
import {
  bothKernels,
  type Entry,
  expectSameBits,
  type StoredOptions,
} from "../support/kernels.js";
import { normal, random } from "../support/random.js";

// The SIMD kernel rounds float32 results from less exact values wherever an error bound shows that the bits stay the
// same; the plain kernel always takes the exact way. Drawn values almost never lie close enough to the middle between
// two float32 to test that bound, so the last tests of this file construct such values.

const kernels = bothKernels();

type Rows = ArrayLike<number>[];

const softmaxOf = (rows: Rows): Entry => ({
  code: SOFTMAX,
  values: rows[0]?.length ?? 0,
});

/** Compares the kernels on softmax, and on softmax and products with the vectors. */
function compare(rows: Rows, vectors: Rows, options: StoredOptions = {}): void {
  const softmax = softmaxOf(rows);
  const product = { ...softmax, code: PRODUCT, input: vectors };
  const all = { source: "float32", out: "float32", ...options } as const;
  expectSameBits(kernels, rows, [softmax], all);
  expectSameBits(kernels, rows, [softmax, product], all);
}

/** Returns rows of value(r, k) in float32. */
function rowsOf(
  rows: number,
  classes: number,
  value: (r: number, k: number) => number,
): Float32Array[] {
  return Array.from({ length: rows }, (_, r) =>
    Float32Array.from({ length: classes }, (_, k) => value(r, k)),
  );
}

test.each([
  ["near", 3],
  ["confident", 12],
  ["far apart, down to the subnormals of float32", 60],
])("logits that are %s", (_, scale) => {
  for (const classes of [10, 7]) {
    const gauss = normal(random(scale * classes));
    const logits = rowsOf(4000, classes, () => scale * gauss());
    compare(logits, rowsOf(4000, classes, gauss));
  }
});

test.each([1, 2, 3, 64, 1001, 4095, 4096, 4097])("%i classes", (classes) => {
  const gauss = normal(random(classes));
  const logits = rowsOf(9, classes, () => 6 * gauss());
  compare(logits, rowsOf(9, classes, gauss));
});

const gauss = normal(random(5));

test.each<[string, (r: number, k: number) => number]>([
  ["all the same: the product is 0", () => 0.1],
  ["the same but for one", (r, k) => (k === r % 10 ? 1 : 0.1)],
  ["nearly the same", (_, k) => 1e6 + k * 1e-9],
  ["very large", (r, k) => 1e35 * Math.sin(r + k)],
  ["beyond float32", (r, k) => 1e200 * Math.sin(r + k)],
  ["beyond all of e", (r, k) => 1e290 * Math.sin(r + k)],
  ["very small", (r, k) => 1e-300 * Math.sin(r + k)],
  ["zeros of both signs", (r, k) => (r % 2 ? -0 : 0) * (k + 1)],
  ["not numbers, one of them", (r, k) => (r % 3 === 0 && k === 4 ? NaN : k)],
  ["infinite, one of them", (r, k) => (r % 3 || k !== 4 ? k : -Infinity)],
])("vectors that are %s", (_, value) => {
  const vectors = Array.from({ length: 200 }, (_, r) =>
    Float64Array.from({ length: 10 }, (_, k) => value(r, k)),
  );
  const rows = rowsOf(200, 10, () => 8 * gauss());
  compare(rows, vectors);
  // Masked classes, and differences that are too large for an e in float32.
  const masked = (row: Float32Array, r: number) =>
    row.map((o, k) => (k % 3 === r % 3 ? -Infinity : k === 7 ? -650 - r : o));
  compare(rows.map(masked), vectors);
});

test("bad rows among good ones, and ties", () => {
  const rows = rowsOf(300, 10, (r) => {
    const o = Math.round(3 * gauss());
    return r % 50 === 7 ? -Infinity : r % 50 === 20 && o > 1 ? NaN : o;
  });
  compare(rows, rowsOf(300, 10, gauss));
});

// R's NA, the mark of a null, and others: the payload of a NaN must not become an exponent.
test.each([
  0x7ff00000000007a2n,
  0x7ff800006e756c6cn,
  0xfff800000003ff80n,
  0x7ff8000000000080n,
  0x7fffffffffffffffn,
])("a NaN of the bits %s in any class makes a bad row", (bits) => {
  for (const classes of [2, 3, 10]) {
    const rows = Array.from({ length: classes }, (_, k) => {
      const row = Float64Array.from({ length: classes }, gauss);
      new BigUint64Array(row.buffer)[k] = bits;
      return row;
    });
    const options = { source: "float64", out: "float32" } as const;
    const { bad } = expectSameBits(kernels, rows, [softmaxOf(rows)], options);
    expect(bad).toEqual([...rows.keys()]);
    compare(rows, rowsOf(classes, classes, gauss), { source: "float64" });
  }
});

test("if most rows are unsure, the exact way computes all that follow", () => {
  compare(
    rowsOf(500, 10, gauss),
    rowsOf(500, 10, () => 2),
  );
});

describe("values next to the middle between two float32", () => {
  const uniform = random(77);
  const options = { source: "float64", out: "float32" } as const;

  /** Returns the middle above a random float32 of about 2^-depth to 1. */
  function middle(depth: number): number {
    const value = Math.fround(2 ** (-depth * uniform()) * (0.25 + uniform()));
    return value + 2 ** (Math.floor(Math.log2(value)) - 24);
  }

  const HARD: Record<string, () => number[]> = {
    "two classes": () => {
      const p = middle(40);
      return [0, Math.log(p) - Math.log1p(-p)];
    },
    // The quick way loses 2^-53 for each unit of the difference to the largest logit.
    "a small class far below the others": () => {
      const others = [0, ...Array.from({ length: 59 }, () => -2 * uniform())];
      const sum = others.reduce((total, o) => total + Math.exp(o), 0);
      const p = middle(20) * 2 ** -100;
      return [...others, Math.log(p) + Math.log(sum) - Math.log1p(-p)];
    },
  };
  test.each(Object.entries(HARD))("%s", (_, hard) => {
    // Every eighth row is hard: after too many rows that need the exact way, the kernel takes it for all that follow.
    for (let round = 0; round < 10; round++) {
      const rows = Array.from({ length: 4000 }, (_, r) =>
        r % 8 ? hard().map((_, k) => (k ? -3 * uniform() : 0)) : hard(),
      );
      expectSameBits(kernels, rows, [softmaxOf(rows)], options);
    }
  });

  // Equal values whose low bits are lost, again and again in the same direction, in the plain sum of the quick way: for
  // 2^20 classes it is too small by some 2^-36, more than the bound. It must leave so many classes to the exact way.
  test("2^20 classes, whose plain sum is worse than the bound", () => {
    const classes = 2 ** 20;
    const step = 2 ** -35; // of float64 at half the sum
    let logit = -0.9;
    const lost = () => Math.exp(logit) % step;
    while (lost() < 0.4 * step || lost() > 0.48 * step) logit -= 1e-6;
    const hard = Array.from(
      { length: 100 },
      () => middle(1) * 2 ** -20 * (1 - 2 ** -37.3),
    );
    const rest = classes - 1 - hard.length;
    const others = hard.reduce((total, p) => total + p, 0);
    const sum = (1 + rest * Math.exp(logit)) / (1 - others);
    const row = new Float64Array(classes).fill(logit);
    row[0] = 0;
    for (const [k, p] of hard.entries()) row[k + 1] = Math.log(p * sum);
    const large = bothKernels(256 << 20);
    expectSameBits(large, [row], [softmaxOf([row])], options);
  });
});
