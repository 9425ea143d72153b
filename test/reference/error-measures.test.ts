import { expect, test } from "vitest";
import {
  errorInEpsilon,
  relativeErrorPercent,
} from "../../src/reference/error-measures.js";
import { referenceResult } from "../../src/reference/result.js";
import { type ReferenceRow, referenceRow } from "../../src/reference/row.js";
import { referenceValues } from "../../src/reference/scaled.js";
import { built } from "../support/built.js";
import { errorInEpsilon as exactError } from "../support/exact.js";
import { hardRows } from "../support/hard-rows.js";
import { truthOf } from "../support/truth.js";

function truthly(high: number, low = 0, exponent = 0) {
  const values = referenceValues(1);
  values.high[0] = high;
  values.low[0] = low;
  values.exponent[0] = exponent;
  return values;
}

test("ε of the truth, steps among the subnormals", () => {
  expect(errorInEpsilon(1 + 2 ** -52, truthly(1), 0)).toBe(1);
  expect(errorInEpsilon(1, truthly(1, 2 ** -54), 0)).toBeCloseTo(0.25, 12);
  expect(errorInEpsilon(-1.5, truthly(-1.5, -(2 ** -55)), 0)).toBeCloseTo(
    1 / 12,
    12,
  );
  expect(errorInEpsilon(5e-324, truthly(1.5, 0, -1074), 0)).toBe(0.5);
  expect(errorInEpsilon(0, truthly(1.5, 0, -1080), 0)).toBe(1.5 / 64);
  expect(errorInEpsilon(1 + 2 ** -23, truthly(1), 0, "float32")).toBe(1);
  expect(errorInEpsilon(0, truthly(2 ** -150), 0, "float32")).toBe(0.5);
});

test("zeros, infinities and NaN", () => {
  expect(errorInEpsilon(0, truthly(0), 0)).toBe(0);
  expect(errorInEpsilon(-0, truthly(0), 0)).toBe(0);
  expect(errorInEpsilon(1e-300, truthly(0), 0)).toBeGreaterThan(1e20);
  expect(errorInEpsilon(-Infinity, truthly(-Infinity), 0)).toBe(0);
  expect(errorInEpsilon(1, truthly(-Infinity), 0)).toBe(Infinity);
  expect(errorInEpsilon(Infinity, truthly(1.1, 0, 1024), 0)).toBe(0);
  expect(errorInEpsilon(-Infinity, truthly(1.1, 0, 1024), 0)).toBe(Infinity);
  expect(errorInEpsilon(Infinity, truthly(1e39), 0, "float32")).toBe(0);
  expect(errorInEpsilon(Infinity, truthly(1e38), 0, "float32")).toBe(Infinity);
  expect(errorInEpsilon(Number.NaN, truthly(1), 0)).toBe(Infinity);
});

test("it is what 80 digits say, for softjac's own softmax", () => {
  for (const { rows } of hardRows())
    for (const logits of rows.slice(0, 3)) {
      const found = built.softmax(Float64Array.from(logits), {
        rows: 1,
        classes: logits.length,
      });
      const row = referenceRow(logits) as ReferenceRow;
      const values = referenceResult("softmax", row);
      const { p } = truthOf(logits, 1);
      p.forEach((truth, k) => {
        const error = errorInEpsilon(
          found[k] as number,
          values as NonNullable<typeof values>,
          k,
        );
        expect(error).toBeCloseTo(exactError(found[k] as number, truth), 9);
        expect(error).toBeLessThan(1.5);
      });
    }
});

/** The notebook's first row and what it prints of softmax; of its block (of logits not printed) the whole and 5 digits. */
const PRINTED = [
  2.67922497e-1, 6.64113473e-4, 7.28288856e-1, 2.97635009e-3, 1.48183746e-4,
];
const GRAD = [
  1.7783929e-2, -3.64423465e-6, -3.28043549e-4, -6.58893081e-3, -1.08633104e-2,
  -3.64423465e-6, 2.01165356e-4, -3.64423465e-6, -7.31964096e-5, -1.20680477e-4,
  -3.28043549e-4, -3.64423465e-6, 1.7783929e-2, -6.58893081e-3, -1.08633104e-2,
  -6.58893081e-3, -7.31964096e-5, -6.58893081e-3, 2.3144648e-1, -2.18195422e-1,
  -1.08633104e-2, -1.20680477e-4, -1.08633104e-2, -2.18195422e-1, 2.40042723e-1,
];
const MY_GRADIENT = [
  1.7784e-2, -3.6442e-6, -3.2804e-4, -6.5889e-3, -1.0863e-2, -3.6442e-6,
  2.0117e-4, -3.6442e-6, -7.3196e-5, -1.2068e-4, -3.2804e-4, -3.6442e-6,
  1.7784e-2, -6.5889e-3, -1.0863e-2, -6.5889e-3, -7.3196e-5, -6.5889e-3,
  2.3145e-1, -2.182e-1, -1.0863e-2, -1.2068e-4, -1.0863e-2, -2.182e-1,
  2.4004e-1,
];

test("the notebook's error, on what the notebook prints", () => {
  const logits = Float64Array.of(3, -3, 4, -1.5, -4.5);
  const p = built.softmax(logits, { rows: 1, classes: 5 });
  // Nine digits are printed: half of the last one of numbers from 1.48 to 7.29.
  expect(relativeErrorPercent(PRINTED, p)).toBeLessThan(2e-7);
  // torch prints five digits of the block that autograd prints nine of.
  const percent = relativeErrorPercent(GRAD, MY_GRADIENT);
  expect(percent).toBeGreaterThan(1e-4);
  expect(percent).toBeLessThan(2e-3);
});

test("the notebook's zeros: 1e-32 keeps them in, without it the mean is none", () => {
  const grad = [0.25, -0.25, 0, 0];
  const other = [0.25 + 2 ** -54, -0.25, 0, 0];
  expect(relativeErrorPercent(grad, other)).toBeNaN();
  expect(relativeErrorPercent(grad, other, { guard: 1e-32 })).toBe(
    (2 ** -52 / 4) * 100,
  );
  expect(relativeErrorPercent([1, 2], [1, 3])).toBe(25);
  expect(relativeErrorPercent([], [])).toBeNaN();
  expect(() => relativeErrorPercent([1], [])).toThrow(
    "found: expected 1 values, found 0",
  );
});
