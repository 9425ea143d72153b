import { powerOfTwo } from "./scaled.js";

/**
 * True values in about 31 digits: the n-th is (high[n] + low[n])·2^exponent[n].
 *
 * The exponent is 0, so that high alone is the value in double precision, but where the value is under 2^-900 or over
 * 2^1000 in size: there 31 digits have no room in doubles. An infinite value is in high, with low 0.
 */
export interface ReferenceValues {
  readonly high: Float64Array;
  readonly low: Float64Array;
  readonly exponent: Int32Array;
}

/** Zeros for `count` values. */
export function referenceValues(count: number): ReferenceValues {
  return {
    high: new Float64Array(count),
    low: new Float64Array(count),
    exponent: new Int32Array(count),
  };
}

/** Stores sign·x, x a number of scaled.ts at `xAt`, as the n-th value. */
export function storeValue(
  values: ReferenceValues,
  n: number,
  x: Float64Array,
  xAt: number,
  sign: 1 | -1 = 1,
): void {
  const exponent = x[xAt + 2] as number;
  const outside = exponent < -900 || exponent > 1000;
  const factor = outside ? sign : sign * powerOfTwo(exponent);
  // + 0: there is one zero.
  values.high[n] = (x[xAt] as number) * factor + 0;
  values.low[n] = (x[xAt + 1] as number) * factor + 0;
  values.exponent[n] = outside ? exponent : 0;
}

/** An infinity, or a whole number. */
export function storePlain(
  values: ReferenceValues,
  n: number,
  value: number,
): void {
  values.high[n] = value;
  values.low[n] = 0;
  values.exponent[n] = 0;
}
