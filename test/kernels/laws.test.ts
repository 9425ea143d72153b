import fc from "fast-check";
import { expect, test } from "vitest";
import { built } from "../support/built.js";

// Laws of every softmax. Sums of n values within k ε of the truth are off by k ε of the sum of their sizes, and by the
// rounding of the summation itself.

const EPSILON = 2 ** -52;
const sum = (values: readonly number[]) => values.reduce((s, x) => s + x, 0);
const sizeOf = (values: readonly number[]) => sum(values.map(Math.abs));

const softmaxOf = (o: number[]) => [
  ...built.softmax(Float64Array.from(o), { rows: 1, classes: o.length }),
];

function jacobianOf(o: number[]): number[][] {
  const Q = o.length;
  const J = built.softmaxJacobian(Float64Array.from(o), {
    rows: 1,
    classes: Q,
  });
  return o.map((_, i) => [...J.subarray(i * Q, i * Q + Q)]);
}

const logits = fc.array(fc.double({ min: -800, max: 800, noNaN: true }), {
  minLength: 1,
  maxLength: 12,
});

/** Each returns a number that must not exceed 0; `x` is any vector. */
const LAWS: Record<string, (o: number[], x: number[]) => number> = {
  "p sums to 1": (o) =>
    Math.abs(sum(softmaxOf(o)) - 1) - (1.5 + o.length) * EPSILON,
  "p lies in [0, 1]": (o) =>
    Math.max(...softmaxOf(o).map((p) => Math.max(-p, p - 1))),
  "each row of J sums to 0": (o) =>
    Math.max(
      ...jacobianOf(o).map(
        (row) =>
          Math.abs(sum(row)) -
          (3 + o.length) * EPSILON * sizeOf(row) -
          o.length * 2 ** -1074,
      ),
    ),
  "xᵀJx >= 0": (o, x) => {
    const terms = jacobianOf(o).flatMap((row, i) =>
      row.map((entry, j) => (x[i] as number) * entry * (x[j] as number)),
    );
    return -sum(terms) - (4 + terms.length) * EPSILON * sizeOf(terms) - 1e-300;
  },
  // The order of a sum changes.
  "permuting the classes permutes p, within 3 ε": (o) => {
    const permuted = softmaxOf(o.toReversed()).toReversed();
    const off = (p: number, k: number) =>
      Math.abs(p - (permuted[k] as number)) - 3 * EPSILON * p - 2 ** -1074;
    return Math.max(...softmaxOf(o).map(off));
  },
};

test.each(Object.entries(LAWS))("%s", (_, excess) => {
  const vector = fc.array(fc.integer({ min: -999, max: 999 }), {
    minLength: 12,
    maxLength: 12,
  });
  fc.assert(
    fc.property(logits, vector, (o, x) => {
      expect(excess(o, x)).toBeLessThanOrEqual(0);
    }),
    { numRuns: 1000, seed: 7 },
  );
});

test("J is symmetric, and softmax(o + c) = softmax(o) if o + c is exact, to the bit", () => {
  const eighths = fc.array(fc.integer({ min: -2000, max: 2000 }), {
    minLength: 1,
    maxLength: 12,
  });
  const shift = fc.integer({ min: -1e6, max: 1e6 });
  fc.assert(
    fc.property(logits, eighths, shift, (o, n, c) => {
      const J = jacobianOf(o);
      expect(J).toEqual(J.map((_, j) => J.map((row) => row[j])));
      const whole = n.map((x) => x / 8);
      expect(softmaxOf(whole.map((x) => x + c))).toEqual(softmaxOf(whole));
    }),
    { numRuns: 1000, seed: 7 },
  );
});
