import { expect, test } from "vitest";
import {
  scaledOnce,
  vectorAt,
  workAreaBytes,
} from "../../src/kernels/portable/work.js";
import { EPSILON, Exact, exact } from "../support/exact.js";
import { hardRows } from "../support/hard-rows.js";
import { bothKernels, type Memory } from "../support/kernels.js";
import { random } from "../support/random.js";
import { truthOf } from "../support/truth.js";

// The bound of docs/numerics.md for the pairs of p, from which results are rounded once.

const BOUND = 0.01;
const SCALE = new Exact(2).pow(256);
const { kernel, buffer } = bothKernels()[1] as Memory;

/** Returns the largest relative error of the pairs of a row in ε, without those of p that are almost subnormal. */
function errorOfPairs(row: number[]): number {
  const classes = row.length;
  const work = 64;
  const logits = work + 64 * Math.ceil(workAreaBytes(classes) / 64);
  new Float64Array(buffer, logits, classes).set(row);
  kernel.prepare(work);
  kernel.loadRow(logits, false, classes, 1, work);
  const [highs = [], negatedLows = []] = [7, 8].map(
    (n) => new Float64Array(buffer, vectorAt(work, classes, n), classes),
  );
  return truthOf(row, 1).p.reduce((worst, p, k) => {
    if (p.lt("1e-280")) return worst;
    const truth = p.times(SCALE);
    const pair = exact(highs[k] as number).minus(
      exact(negatedLows[k] as number),
    );
    const error = pair.minus(truth).abs().div(truth).div(EPSILON).toNumber();
    return Math.max(worst, error);
  }, 0);
}

/** Returns rows where the remainder of exp is largest, with opposite signs: |r| <= step/2 errs most at the ends. */
function adversarialRows(): number[][] {
  const uniform = random(3);
  const step = Math.LN2 / 128;
  return Array.from({ length: 600 }, (_, r) => {
    const sign = r % 2 ? 1 : -1;
    const others = Array.from({ length: 1 + (r % 10) }, (_, k) => {
      const n = 1 + Math.floor(uniform() * (r % 3 ? 128 : 2560));
      const end = (k === 0 ? sign : -sign) * (0.49999 - uniform() * 5e-4);
      return -(n + end) * step;
    });
    return [0, ...others];
  });
}

test.each([
  ["hard", hardRows().flatMap(({ rows }) => rows)],
  ["adversarial", adversarialRows()],
])("the pairs of p in %s rows", (_, rows) => {
  const short = rows.filter(({ length }) => length < 60);
  expect(Math.max(...short.map(errorOfPairs))).toBeLessThan(BOUND);
});

test.each([
  // Multiples of 2^-1074, and the sign of what the sum lacks.
  [1.5, 0, 2],
  [1.5, -1, 1],
  [1.5, 1, 2],
  [2.5, 0, 2],
  [2.5, 1, 3],
  [2.5, -1, 2],
  [2.25, 1, 2],
])("%d and a rest of sign %d are rounded once", (steps, sign, expected) => {
  const up = 2 ** 256;
  const value = steps * 2 ** (256 - 1074);
  const rest = sign * value * 2 ** -60;
  expect(scaledOnce(value, rest, 1 / up, up)).toBe(expected * 2 ** -1074);
});
