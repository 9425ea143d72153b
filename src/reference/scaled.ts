// A number of the reference is (high + low)·2^exponent: a double-double with an exponent of its own. Nothing overflows,
// underflows or becomes subnormal: exp(-745), its square over T², and (o_k - m)/1e-100 keep all their digits.
//
//   index in a Float64Array | value
//   at                      | high, 1 <= |high| < 2, or 0
//   at + 1                  | low, |low| <= 2^-53
//   at + 2                  | exponent, a whole number; 0 for the number 0

/** Doubles per number. */
export const PLACES = 3;

const LOWEST = -1022;
/** 2^-1022 … 2^1023 */
const POWERS = Float64Array.from({ length: 2046 }, (_, k) => 2 ** (k + LOWEST));
const probe = new Float64Array(1);
const words = new Uint32Array(probe.buffer);
probe[0] = 1;
/** The word with the sign and the exponent: the second on little-endian machines. */
const UPPER = words[1] === 0 ? 0 : 1;

/** Returns `count` zeros. */
export function numbers(count: number): Float64Array {
  return new Float64Array(PLACES * count);
}

/** Returns 2^exponent exactly, for -1022 <= exponent <= 1023. */
export function powerOfTwo(exponent: number): number {
  return POWERS[exponent - LOWEST] as number;
}

/** Stores (high + low)·2^exponent with 1 <= |high| < 2. `high` is finite and equals fl(high + low). */
export function store(
  out: Float64Array,
  at: number,
  high: number,
  low: number,
  exponent: number,
): void {
  if (high === 0) {
    out[at] = 0;
    out[at + 1] = 0;
    out[at + 2] = 0;
    return;
  }
  probe[0] = high;
  const k = (((words[UPPER] as number) >>> 20) & 0x7ff) - 1023;
  if (k < -1000 || k === 1023) {
    // Subnormal, or 2^-k is not a normal number.
    const up = k === 1023 ? -100 : 100;
    const factor = powerOfTwo(up);
    store(out, at, high * factor, low * factor, exponent - up);
    return;
  }
  const factor = powerOfTwo(-k);
  out[at] = high * factor;
  out[at + 1] = low * factor;
  out[at + 2] = exponent + k;
}

/** Stores a finite double exactly. */
export function storeDouble(out: Float64Array, at: number, x: number): void {
  store(out, at, x, 0, 0);
}

export function copy(
  out: Float64Array,
  at: number,
  x: Float64Array,
  xAt: number,
): void {
  out[at] = x[xAt] as number;
  out[at + 1] = x[xAt + 1] as number;
  out[at + 2] = x[xAt + 2] as number;
}

/** Changes the sign in place. */
export function negate(out: Float64Array, at: number): void {
  // 0 - x, because -x would make -0.
  out[at] = 0 - (out[at] as number);
  out[at + 1] = 0 - (out[at + 1] as number);
}

/** Returns the nearest double; a subnormal is rounded twice. Beyond the largest double it returns ±Infinity. */
export function toDouble(x: Float64Array, at: number): number {
  const high = x[at] as number;
  const exponent = x[at + 2] as number;
  if (exponent > 1023) return high * Infinity;
  if (exponent < -1100) return high * 0;
  return exponent < LOWEST
    ? high * powerOfTwo(exponent + 100) * powerOfTwo(-100)
    : high * powerOfTwo(exponent);
}

/**
 * Values with about 31 digits; value n is (high[n] + low[n])·2^exponent[n].
 *
 * The exponent is 0, and `high` alone is the value as a double, unless |value| is below 2^-900 or above 2^1000, where two
 * doubles cannot hold 31 digits. An infinite value is in `high`, with low 0.
 */
export interface ReferenceValues {
  readonly high: Float64Array;
  readonly low: Float64Array;
  readonly exponent: Int32Array;
}

/** Returns `count` zeros. */
export function referenceValues(count: number): ReferenceValues {
  return {
    high: new Float64Array(count),
    low: new Float64Array(count),
    exponent: new Int32Array(count),
  };
}

/** Stores sign·x as value n; x is the number at `xAt`. */
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
  // + 0 turns -0 into 0.
  values.high[n] = (x[xAt] as number) * factor + 0;
  values.low[n] = (x[xAt + 1] as number) * factor + 0;
  values.exponent[n] = outside ? exponent : 0;
}

/** Stores a double, an infinity included, as value n. */
export function storePlain(
  values: ReferenceValues,
  n: number,
  value: number,
): void {
  values.high[n] = value;
  values.low[n] = 0;
  values.exponent[n] = 0;
}
