import type { Decimal } from "decimal.js";
import { expect, test } from "vitest";
import { AbortedError } from "../../src/errors.js";
import { CompensatedSums } from "../../src/kernels/compensated-sums.js";
import {
  covarianceProblem,
  invertPositiveDefinite,
  quadraticForm,
  sandwich,
  symmetrized,
} from "../../src/model/symmetric.js";
import { EPSILON, Exact, errorInEpsilon, exact } from "../support/exact.js";
import { normal, random } from "../support/random.js";

const matrix = (...rows: number[][]) => Float64Array.from(rows.flat());

/** Returns GGᵀ for random G with a common factor, so that rows are correlated and of scales from 1e-4 to 1e4. */
function correlated(n: number, seed: number, common: number): Float64Array {
  const draw = normal(random(seed));
  const g = Array.from({ length: n }, (_, row) =>
    Array.from(
      { length: n + 1 },
      (_, at) => (at === n ? common : draw()) * 10 ** ((row % 9) - 4),
    ),
  );
  return Float64Array.from({ length: n * n }, (_, at) => {
    const [row, column] = [Math.floor(at / n), at % n];
    const low = g[Math.min(row, column)] as number[];
    const high = g[Math.max(row, column)] as number[];
    return low.reduce((sum, value, k) => sum + value * (high[k] as number), 0);
  });
}

/** Inverts by Gauss and Jordan in 80-digit arithmetic. */
function exactInverse(a: Float64Array, n: number): Decimal[][] {
  const rows = Array.from({ length: n }, (_, i) =>
    Array.from({ length: 2 * n }, (_, j) =>
      j < n ? exact(a[i * n + j] as number) : new Exact(j - n === i ? 1 : 0),
    ),
  );
  for (let k = 0; k < n; k++) {
    const pivotRow = rows[k] as Decimal[];
    const pivot = pivotRow[k] as Decimal;
    for (let j = 0; j < 2 * n; j++)
      pivotRow[j] = (pivotRow[j] as Decimal).div(pivot);
    rows.forEach((row, i) => {
      if (i === k) return;
      const factor = row[k] as Decimal;
      for (let j = 0; j < 2 * n; j++)
        row[j] = (row[j] as Decimal).minus(
          factor.times(pivotRow[j] as Decimal),
        );
    });
  }
  return rows.map((row) => row.slice(n));
}

// The errors are relative to √(x_ii x_jj).
test.each([
  [1, 0],
  [2, 1],
  [7, 100],
  [12, 1e3],
])("inverse of a %i × %i matrix", (n, common) => {
  const a = correlated(n, n, common);
  const found = invertPositiveDefinite(a, n);
  if (found.kind === "singular") throw new Error("singular");
  const truth = exactInverse(a, n);
  let largest = 0;
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      const value = found.matrix[i * n + j] as number;
      expect(value).toBe(found.matrix[j * n + i]);
      const [own, other] = [truth[i]?.[i], truth[j]?.[j]] as Decimal[];
      const size = Math.sqrt(Number(own) * Number(other));
      const error = exact(value).minus(truth[i]?.[j] as Decimal);
      largest = Math.max(largest, error.abs().toNumber() / size / EPSILON);
    }
  console.log(`inverse, n = ${n}: ${largest.toFixed(2)} ε`);
  expect(largest).toBeLessThan(2);
});

test("singular matrices name the first dependent row", () => {
  const third = matrix([4, 2, 6], [2, 3, 5], [6, 5, 11]);
  expect(invertPositiveDefinite(third, 3)).toEqual({
    ...{ kind: "singular", index: 2 },
  });
  const zero = matrix([2, 0, 0], [0, 0, 0], [0, 0, 1]);
  expect(invertPositiveDefinite(zero, 3)).toEqual({
    ...{ kind: "singular", index: 1 },
  });
  const negative = matrix([-1, 0], [0, 1]);
  expect(invertPositiveDefinite(negative, 2)).toEqual({
    ...{ kind: "singular", index: 0 },
  });
  const missing = matrix([1, NaN], [NaN, 1]);
  expect(invertPositiveDefinite(missing, 2)).toEqual({
    ...{ kind: "singular", index: 1 },
  });
  // Scales do not matter.
  const apart = matrix([2 ** -999, 0], [0, 2 ** 999]);
  expect(invertPositiveDefinite(apart, 2)).toEqual({
    ...{ kind: "inverse", matrix: matrix([2 ** 999, 0], [0, 2 ** -999]) },
  });
});

test("quadratic forms of strongly correlated matrices", () => {
  let largest = 0;
  for (let seed = 1; seed < 15; seed++) {
    const n = 1 + (seed % 9);
    const a = correlated(n, seed, 1e3);
    const draw = normal(random(seed));
    const u = Float64Array.from(
      { length: n },
      (_, i) => draw() / 10 ** ((i % 9) - 4),
    );
    if (seed % 5 === 0) u[0] = 0;
    let value = new Exact(0);
    let size = 0;
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) {
        const term = exact(u[i] as number)
          .times(exact(a[i * n + j] as number))
          .times(exact(u[j] as number));
        value = value.plus(term);
        size += term.abs().toNumber();
      }
    const found = quadraticForm(a, n, u);
    const error = exact(found).minus(value).abs().toNumber();
    largest = Math.max(largest, error / size / EPSILON);
    // As if computed with about 31 digits.
    expect(errorInEpsilon(found, value)).toBeLessThan(1);
  }
  console.log(`quadratic forms: ${largest.toFixed(2)} ε`);
  expect(largest).toBeLessThan(0.6);
});

test("sandwiches", () => {
  const h = matrix([2, 1], [1, 3]);
  const o = matrix([1, -1], [-1, 4]);
  expect(sandwich(h, o, 2)).toEqual(matrix([4, 7], [7, 31]));
  const large = sandwich(correlated(9, 3, 1), correlated(9, 4, 1), 9);
  expect(symmetrized(large, 9)).toBe(large);
});

test("rows of packed symmetric matrices", () => {
  const packed = Float64Array.of(9, 0, 1, 2, 11, 12, 22);
  const sums = new CompensatedSums(4);
  sums.add(1, 10, packed, 1, 3, 1);
  expect(sums.rounded()).toEqual(Float64Array.of(0, 10, 110, 120));
  sums.add(1, 1, packed, 1, 3, 2);
  expect(sums.rounded()).toEqual(Float64Array.of(0, 12, 122, 142));
});

test("covariances", async () => {
  expect(await covarianceProblem(matrix([2, 1], [1, 2]), 2)).toBeNull();
  expect(await covarianceProblem(matrix([0, 0], [0, 2]), 2)).toBeNull();
  // Positive semidefinite.
  expect(await covarianceProblem(matrix([1, 1], [1, 1]), 2)).toBeNull();
  expect(await covarianceProblem(matrix([1, 1e8], [1e8, 1e16]), 2)).toBeNull();
  expect(await covarianceProblem(matrix([1, 0.12], [1.12, 2]), 2)).toBe(
    "it is not symmetric: [0,1] is 0.12 and [1,0] is 1.12",
  );
  // Asymmetry is measured by √(v_ii v_jj), since entries near 0 are rounding errors.
  const near = (other: number) => matrix([1, 1e-14], [other, 1]);
  expect(await covarianceProblem(near(9e-9), 2)).toBeNull();
  expect(await covarianceProblem(near(2e-8), 2)).toMatch("not symmetric");
  for (const indefinite of [
    matrix([-1, 0], [0, 1]),
    matrix([0, 1], [1, 1]),
    matrix([1, 0], [0, -1e-300]),
    matrix([1, 1.0001], [1.0001, 1]),
  ])
    expect(await covarianceProblem(indefinite, 2)).toMatch("semidefinite");
  for (const n of [3, 20])
    expect(await covarianceProblem(correlated(n, 1, 1e6), n)).toBeNull();
});

test("the check of a large covariance stops at a signal", async () => {
  const n = 1200;
  const identity = new Float64Array(n * n);
  for (let i = 0; i < n; i++) identity[i * n + i] = 1;
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 1);
  const check = covarianceProblem(identity, n, stop.signal);
  await expect(check).rejects.toBeInstanceOf(AbortedError);
});

test("symmetrized matrices", () => {
  expect(symmetrized(matrix([1, 2], [4, 5]), 2)).toEqual(
    matrix([1, 3], [3, 5]),
  );
  const a = matrix([1, 2], [2, 1]);
  expect(symmetrized(a, 2)).toBe(a);
});
