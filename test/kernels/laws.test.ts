import fc from "fast-check";
import { expect, test } from "vitest";
import { built } from "../support/built.js";

// Properties that hold exactly for all logits. Other properties follow from the bounds that results.test.ts checks.

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

test("J is symmetric, to the bit", () => {
  const logits = rowsOf(fc.double({ min: -800, max: 800, noNaN: true }));
  const isSymmetric = (o: number[]) => {
    const J = blockOf(o);
    expect(J).toEqual(o.map((_, i) => J.map((row) => row[i])));
  };
  fc.assert(fc.property(logits, isSymmetric), every);
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
