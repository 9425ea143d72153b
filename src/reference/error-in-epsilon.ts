import { divide, subtract } from "./arithmetic.js";
import { numbers, PLACES, store, storeDouble, toDouble } from "./scaled.js";
import type { ReferenceValues } from "./values.js";

/** ε (the spacing of the numbers from 1 on), the smallest step, and where the largest number ends, as exponents of 2. */
const FORMATS = {
  float64: { epsilon: -52, smallest: -1074, end: 1024 },
  float32: { epsilon: -23, smallest: -149, end: 128 },
} as const;

const x = numbers(3);
const [truth, found, unit] = [0, PLACES, 2 * PLACES];

/**
 * How far a computed value is from the n-th true one, in ε of the truth: 2^-52 of it for float64, 2^-23 for float32;
 * where that is less than the smallest subnormal, in steps of those (units of the last place). Itself within 1e-15.
 *
 * A value rounded to nearest is within 0.5 (1 where the truth's high bits are all zeros: an ε is up to two units of the
 * last place). An infinity is right where it is the truth, or where the truth rounds to it; NaN is Infinity off.
 *
 * @param value as stored, float32 values as the doubles that they are
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
  store(x, truth, high, values.low[n] as number, values.exponent[n] as number);
  const exponent = x[truth + 2] as number;
  if (!Number.isFinite(value)) {
    const rounds =
      exponent >= end ||
      (exponent === end - 1 &&
        Math.abs(x[truth] as number) >= 2 + 2 ** epsilon * -0.5);
    return rounds && value === high * Infinity ? 0 : Infinity;
  }
  storeDouble(x, found, value);
  subtract(x, found, x, found, x, truth);
  const size = Math.abs(x[truth] as number);
  if (high === 0 || exponent + epsilon < smallest)
    store(x, unit, 1, 0, smallest);
  else store(x, unit, size, 0, exponent + epsilon);
  divide(x, found, x, found, x, unit);
  return Math.abs(toDouble(x, found));
}
