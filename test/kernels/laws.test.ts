import fc from "fast-check";
import { expect, test } from "vitest";
import { built } from "../support/built.js";

// What holds for every softmax, whatever the logits. Sums of n values each within k ε of the truth are off by k ε of the
// sum of their sizes, and by the rounding of the summation itself.

const EPSILON = 2 ** -52;
const every = { numRuns: 400, seed: 7 };

function rowsOf(logit: fc.Arbitrary<number>) {
  return fc.array(logit, { minLength: 1, maxLength: 12 });
}

function softmaxOf(o: number[]): number[] {
  const options = { rows: 1, classes: o.length };
  return [...built.softmax(Float64Array.from(o), options)];
}

/** Returns the rows of J. */
function blockOf(o: number[]): number[][] {
  const Q = o.length;
  const options = { rows: 1, classes: Q };
  const J = built.softmaxJacobian(Float64Array.from(o), options);
  return o.map((_, i) => [...J.subarray(i * Q, i * Q + Q)]);
}

const sum = (values: number[]) => values.reduce((s, x) => s + x, 0);
const size = (values: number[]) => sum(values.map(Math.abs));

test.each<[string, (logits: number[], numbers: number[]) => void]>([
  [
    "p sums to 1 and lies in [0, 1]",
    (o) => {
      const p = softmaxOf(o);
      const slack = (1.5 + o.length) * EPSILON;
      expect(Math.abs(sum(p) - 1)).toBeLessThanOrEqual(slack);
      expect(p.every((x) => x >= 0 && x <= 1)).toBe(true);
    },
  ],
  [
    "J is symmetric, to the bit",
    (o) => {
      const J = blockOf(o);
      expect(J).toEqual(o.map((_, i) => J.map((row) => row[i])));
    },
  ],
  [
    "each row of J sums to 0",
    (o) => {
      for (const row of blockOf(o)) {
        const slack = (3 + o.length) * EPSILON * size(row);
        const subnormal = o.length * 2 ** -1074;
        expect(Math.abs(sum(row))).toBeLessThanOrEqual(slack + subnormal);
      }
    },
  ],
  [
    "xᵀJx >= 0",
    (o, numbers) => {
      const x = o.map((_, k) => ((numbers[k] as number) % 1000) / 7);
      const terms = blockOf(o).flatMap((row, i) =>
        row.map((entry, j) => (x[i] as number) * entry * (x[j] as number)),
      );
      const slack = (4 + terms.length) * EPSILON * size(terms);
      expect(sum(terms)).toBeGreaterThanOrEqual(-slack - 1e-300);
    },
  ],
  [
    "permuting the classes permutes the results (to 3 ε: the order of a sum)",
    (o) => {
      const q = softmaxOf(o.toReversed()).toReversed();
      for (const [k, x] of softmaxOf(o).entries())
        expect(Math.abs(x - (q[k] as number))).toBeLessThanOrEqual(
          3 * EPSILON * x + 2 ** -1074,
        );
    },
  ],
])("%s", (_, law) => {
  const logits = rowsOf(fc.double({ min: -800, max: 800, noNaN: true }));
  const numbers = fc.array(fc.integer(), { minLength: 12, maxLength: 12 });
  fc.assert(fc.property(logits, numbers, law), every);
});

test("softmax(o + c) = softmax(o), to the bit where o + c is exact", () => {
  const eighths = rowsOf(fc.integer({ min: -2000, max: 2000 }));
  fc.assert(
    fc.property(eighths, fc.integer({ min: -1e6, max: 1e6 }), (eighths, c) => {
      const o = eighths.map((x) => x / 8);
      expect(softmaxOf(o.map((x) => x + c))).toEqual(softmaxOf(o));
    }),
    every,
  );
});
