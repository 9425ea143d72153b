import { expect, test } from "vitest";
import {
  errorInEpsilon,
  relativeErrorPercent,
} from "../../src/reference/error-measures.js";
import type { ReferenceValues } from "../../src/reference/scaled.js";

/** A true value (high + low)·2^exponent. */
function realOf(high: number, low = 0, exponent = 0): ReferenceValues {
  return {
    high: Float64Array.of(high),
    low: Float64Array.of(low),
    exponent: Int32Array.of(exponent),
  };
}

test.each<[found: number, truth: number[], error: number]>([
  [1 + 2 ** -52, [1], 1],
  [1, [1, 2 ** -54], 0.25],
  [-1.5, [-1.5, -(2 ** -55)], 1 / 12],
  // Steps among the subnormals.
  [5e-324, [1.5, 0, -1074], 0.5],
  [0, [1.5, 0, -1080], 1.5 / 64],
  [0, [0], 0],
  [-0, [0], 0],
  [1e-300, [0], 1e-300 / 5e-324],
  [1, [0], Infinity],
  [-Infinity, [-Infinity], 0],
  [1, [-Infinity], Infinity],
  [Infinity, [1.1, 0, 1024], 0],
  [-Infinity, [1.1, 0, 1024], Infinity],
  [Number.NaN, [1], Infinity],
])("%d is off %j by %d ε", (found, [high = 0, low, exponent], error) => {
  const measured = errorInEpsilon(found, realOf(high, low, exponent), 0);
  if (Number.isFinite(error)) expect(measured).toBeCloseTo(error, 12);
  else expect(measured).toBe(error);
});

test.each([
  [1 + 2 ** -23, 1, 1],
  [0, 2 ** -150, 0.5],
  [Infinity, 1e39, 0],
  [Infinity, 1e38, Infinity],
])("%d is off %d by %d ε of float32", (found, truth, error) => {
  expect(errorInEpsilon(found, realOf(truth), 0, "float32")).toBe(error);
});

test("a guard keeps zeros in the mean, which is NaN without it", () => {
  const expected = [0.25, -0.25, 0, 0];
  const found = [0.25 + 2 ** -54, -0.25, 0, 0];
  expect([
    relativeErrorPercent(expected, found),
    relativeErrorPercent(expected, found, { guard: 1e-32 }),
    relativeErrorPercent([1, 2], [1, 3]),
    relativeErrorPercent([], []),
  ]).toEqual([Number.NaN, (2 ** -52 / 4) * 100, 25, Number.NaN]);
  expect(() => relativeErrorPercent([1], [])).toThrow(
    "found: expected 1 values, found 0",
  );
  expect(() => relativeErrorPercent([1], 2 as never)).toThrow(
    "found: expected an array of numbers, found 2",
  );
  expect(() => relativeErrorPercent([1], [2], { guard: "0" as never })).toThrow(
    'guard: expected a number, found "0"',
  );
});
