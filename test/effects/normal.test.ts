import type { Decimal } from "decimal.js";
import { expect, test } from "vitest";
import { normalQuantile, twoSidedP } from "../../src/effects/normal.js";
import { Exact, errorInEpsilon, exact } from "../support/exact.js";

const PI = Exact.acos(-1);

/** Returns erfc(z/√2) with more than 40 digits, z > 0. */
function exactTwoSidedP(z: number): Decimal {
  const x = exact(z);
  const square = x.times(x);
  const bell = new Exact(2).div(PI).sqrt().times(square.div(-2).exp());
  if (z >= 3) {
    let m = x;
    for (let k = Math.ceil(4000 / (z * z)) + 20; k >= 1; k--)
      m = x.plus(new Exact(k).div(m));
    return bell.div(m);
  }
  // erf = √(2/π) exp(-z²/2) Σ z^(2k+1)/(1·3·…·(2k+1))
  let term = x;
  let sum = x;
  for (let k = 1; term.gt(1e-60); k++) {
    term = term.times(square).div(2 * k + 1);
    sum = sum.plus(term);
  }
  return new Exact(1).minus(bell.times(sum));
}

/** Returns the largest error of the p-values of `count` numbers z in ε. */
function largestError(from: number, to: number, count: number) {
  let largest = { error: 0, z: 0 };
  for (let n = 0; n < count; n++) {
    const z = from + ((to - from) * (n + Math.abs(Math.sin(n)))) / count;
    const error = errorInEpsilon(twoSidedP(z), exactTwoSidedP(z));
    if (error > largest.error) largest = { error, z };
  }
  return largest;
}

test.each([
  [1e-9, 1, 100, 5],
  [1, 3, 100, 3],
  [3, 37.5, 200, 3],
  // Subnormal numbers; their error is in steps of 2^-1074.
  [37.5, 38.6, 50, 2],
])("p-values of z from %f to %f (%i numbers)", (from, to, count, allowed) => {
  const { error, z } = largestError(from, to, count);
  console.log(`p-values, z ${from} to ${to}: ${error.toFixed(2)} ε at ${z}`);
  expect(error).toBeLessThan(allowed);
});

test("p-values of special numbers", () => {
  expect(twoSidedP(0)).toBe(1);
  expect(twoSidedP(-0)).toBe(1);
  expect(twoSidedP(NaN)).toBe(NaN);
  for (const z of [39, 1e3, 1e200, Infinity, -Infinity])
    expect(twoSidedP(z)).toBe(0);
  expect(twoSidedP(5e-324)).toBe(1);
  expect(twoSidedP(-1.7)).toBe(twoSidedP(1.7));
  expect(twoSidedP(1.96)).toBeCloseTo(0.04999579029644087, 15);
});

test("the p-value falls where the methods meet", () => {
  for (let n = -50; n < 50; n++) {
    const z = 1 + n * 2 ** -46;
    expect(twoSidedP(z)).toBeGreaterThan(twoSidedP(z + 2 ** -46));
  }
});

test("quantiles of two-sided levels", () => {
  let largest = 0;
  for (const level of [
    ...[0.95, 0.99, 0.9, 0.5, 0.6826894921370859, 1e-12, 0.8, 0.999],
    ...[0.6826, 0.6828, 1 - 1e-9, 1 - 2 ** -53],
    ...Array.from({ length: 20 }, (_, n) => (n + 0.5) / 20),
  ]) {
    const z = normalQuantile(level);
    // One exact Newton step gives the remaining error.
    const x = exact(z);
    const density = new Exact(2).div(PI).sqrt().times(x.times(x).div(-2).exp());
    const missing = exactTwoSidedP(z).minus(new Exact(1).minus(exact(level)));
    const error = errorInEpsilon(z, x.plus(missing.div(density)));
    largest = Math.max(largest, error);
  }
  console.log(`quantiles: ${largest.toFixed(2)} ε`);
  expect(largest).toBeLessThan(3);
  expect(normalQuantile(0)).toBe(0);
  // 0.95 as a double is 4e-17 smaller; its quantile is 1.95996398454005386.
  expect(normalQuantile(0.95)).toBeCloseTo(1.959963984540054, 15);
});
