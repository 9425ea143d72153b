import { UsageError } from "../errors.js";

/**
 * The mean of |expected - found|/|expected| in percent, over all values: how the notebook compares two results (its
 * `error` and `error_g`).
 *
 * Where `expected` is 0 a quotient is 0/0 or infinite, and so is the mean. A `guard`, added to both numbers first, is
 * how the notebook keeps the zeros of the whole Jacobian in: 1e-32. A guard also hides what is smaller than itself.
 *
 * @param expected any number of values, not changed
 * @param found as many
 * @param options.guard default 0
 * @returns NaN for no values
 * @throws UsageError where there are not as many of one as of the other
 */
export function relativeErrorPercent(
  expected: ArrayLike<number>,
  found: ArrayLike<number>,
  { guard = 0 }: { guard?: number } = {},
): number {
  if (found.length !== expected.length)
    throw new UsageError(
      `found: expected ${expected.length} values, found ${found.length}`,
      "found",
    );
  let sum = 0;
  for (let k = 0; k < expected.length; k++) {
    const truth = (expected[k] as number) + guard;
    sum += Math.abs(truth - ((found[k] as number) + guard)) / Math.abs(truth);
  }
  return (sum / expected.length) * 100;
}
