import { UsageError } from "../errors.js";

/**
 * Computes the mean of |expected - found| / |expected| over all values, in percent.
 *
 * If an expected value is 0, its quotient is NaN or infinite, and so is the mean. `guard` is added to both numbers of each
 * pair first: 1e-32 admits the zeros of a whole Jacobian, but hides differences smaller than itself. (`error` and `error_g`
 * of the notebook that softjac grew out of; see docs/derivation.md.)
 *
 * @param expected any number of values. Not changed.
 * @param found as many values. Not changed.
 * @param options.guard default: 0
 * @returns the mean in percent; NaN for no values
 * @throws UsageError if the numbers of values differ
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
