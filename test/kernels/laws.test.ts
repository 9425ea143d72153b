import fc from "fast-check";
import { expect, test } from "vitest";
import { built } from "../support/built.js";

const { softmax, softmaxJacobian } = built;

// What holds for every softmax, whatever the logits. Sums of n values each within k ε of the truth are off by k ε of the
// sum of their sizes, and by the rounding of the summation itself.

const logits = fc.array(fc.double({ min: -800, max: 800, noNaN: true }), {
  minLength: 1,
  maxLength: 12,
});
const EPSILON = 2 ** -52;

function softmaxOf(o: number[]): Float64Array {
  return softmax(Float64Array.from(o), { rows: 1, classes: o.length });
}

function blockOf(o: number[]): (i: number, j: number) => number {
  const Q = o.length;
  const J = softmaxJacobian(Float64Array.from(o), { rows: 1, classes: Q });
  return (i, j) => J[i * Q + j] as number;
}

const sum = (values: Iterable<number>) => {
  let s = 0;
  for (const x of values) s += x;
  return s;
};
const every = { numRuns: 1000, seed: 7 };

test("p sums to 1 and lies in [0, 1]", () => {
  fc.assert(
    fc.property(logits, (o) => {
      const p = softmaxOf(o);
      expect(Math.abs(sum(p) - 1)).toBeLessThanOrEqual(
        (1.5 + o.length) * EPSILON,
      );
      expect(p.every((x) => x >= 0 && x <= 1)).toBe(true);
    }),
    every,
  );
});

test("softmax(o + c) = softmax(o), to the bit where o + c is exact", () => {
  const whole = fc.array(fc.integer({ min: -2000, max: 2000 }), {
    minLength: 1,
    maxLength: 12,
  });
  fc.assert(
    fc.property(whole, fc.integer({ min: -1e6, max: 1e6 }), (o, c) => {
      const moved = o.map((x) => x / 8 + c);
      expect(softmaxOf(moved)).toEqual(softmaxOf(o.map((x) => x / 8)));
    }),
    every,
  );
});

test("J is symmetric, to the bit", () => {
  fc.assert(
    fc.property(logits, (o) => {
      const J = blockOf(o);
      for (let i = 0; i < o.length; i++)
        for (let j = 0; j < i; j++) expect(J(i, j)).toBe(J(j, i));
    }),
    every,
  );
});

test("each row of J sums to 0", () => {
  fc.assert(
    fc.property(logits, (o) => {
      const J = blockOf(o);
      for (let i = 0; i < o.length; i++) {
        const row = o.map((_, j) => J(i, j));
        const size = sum(row.map(Math.abs));
        expect(Math.abs(sum(row))).toBeLessThanOrEqual(
          (3 + o.length) * EPSILON * size + o.length * 2 ** -1074,
        );
      }
    }),
    every,
  );
});

test("xᵀJx >= 0", () => {
  fc.assert(
    fc.property(logits, fc.infiniteStream(fc.integer()), (o, stream) => {
      const J = blockOf(o);
      const x = o.map(() => ((stream.next().value as number) % 1000) / 7);
      const terms = o.flatMap((_, i) =>
        o.map((_, j) => (x[i] as number) * J(i, j) * (x[j] as number)),
      );
      const slack = (4 + terms.length) * EPSILON * sum(terms.map(Math.abs));
      expect(sum(terms)).toBeGreaterThanOrEqual(-slack - 1e-300);
    }),
    every,
  );
});

test("permuting the classes permutes the results (to 3 ε: the order of a sum)", () => {
  fc.assert(
    fc.property(logits, (o) => {
      const p = softmaxOf(o);
      const q = softmaxOf(o.toReversed()).toReversed();
      p.forEach((x, k) => {
        expect(Math.abs(x - (q[k] as number))).toBeLessThanOrEqual(
          3 * EPSILON * x + 2 ** -1074,
        );
      });
    }),
    every,
  );
});
