import { UsageError } from "../errors.js";
import { shortValue } from "../printable.js";
import { divide, subtract } from "./arithmetic.js";
import { type ReferenceValues, Scaled, store, toDouble } from "./scaled.js";

/** Exponents of 2 of ε (the spacing of numbers at 1), of the smallest subnormal, and of the overflow threshold. */
const FORMATS = {
  float64: { epsilon: -52, smallest: -1074, end: 1024 },
  float32: { epsilon: -23, smallest: -149, end: 128 },
} as const;

const truth = new Scaled();
const found = new Scaled();
const unit = new Scaled();

/**
 * Returns the error of a computed value in ε of the true value n: 2^-52 (float64) or 2^-23 (float32) of it, but at least
 * the smallest subnormal. The error itself is accurate to 1e-15.
 *
 * A value that is rounded to nearest is within 0.5 ε of a true value just below a power of two and within 1 ε of one just
 * above. An infinity has error 0 if the true value is or rounds to it, and NaN has an infinite error.
 *
 * @param value the stored value; float32 values as doubles
 */
export function errorInEpsilon(
  value: number,
  values: ReferenceValues,
  n: number,
  format: "float64" | "float32" = "float64",
): number {
  const { epsilon, smallest, end } = FORMATS[format];
  const high = values.high[n] as number;
  if (!Number.isFinite(high)) return value === high ? 0 : Infinity;
  store(truth, high, values.low[n] as number, values.exponent[n] as number);
  const { exponent } = truth;
  if (!Number.isFinite(value)) {
    const rounds =
      exponent >= end ||
      (exponent === end - 1 && Math.abs(truth.high) >= 2 + 2 ** epsilon * -0.5);
    return rounds && value === high * Infinity ? 0 : Infinity;
  }
  store(found, value);
  subtract(found, found, truth);
  if (high === 0 || exponent + epsilon < smallest) store(unit, 1, 0, smallest);
  else store(unit, Math.abs(truth.high), 0, exponent + epsilon);
  divide(found, found, unit);
  return Math.abs(toDouble(found));
}

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
 * @throws UsageError for values that are not in an array, or if their numbers differ
 */
export function relativeErrorPercent(
  expected: ArrayLike<number>,
  found: ArrayLike<number>,
  options: { guard?: number } = {},
): number {
  const { guard = 0 } = options ?? {};
  for (const [name, array] of Object.entries({ expected, found }))
    if (!Number.isSafeInteger(array?.length))
      throw new UsageError(
        `${name}: expected an array of numbers, found ${shortValue(array)}`,
      );
  if (typeof guard !== "number")
    throw new UsageError(
      `guard: expected a number, found ${shortValue(guard)}`,
    );
  if (found.length !== expected.length)
    throw new UsageError(
      `found: expected ${expected.length} values, found ${found.length}`,
    );
  let sum = 0;
  for (let k = 0; k < expected.length; k++) {
    const truth = (expected[k] as number) + guard;
    sum += Math.abs(truth - ((found[k] as number) + guard)) / Math.abs(truth);
  }
  return (sum / expected.length) * 100;
}
