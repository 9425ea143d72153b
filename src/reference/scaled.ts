// A number of the reference is (high + low)·2^exponent: a double-double with an exponent of its own. Nothing overflows,
// underflows or becomes subnormal: exp(-745), its square over T², and (o_k - m)/1e-100 keep all their digits.

/** A number of about 31 digits, changed in place by the functions of this module. */
export class Scaled {
  /** 0, or 1 <= |high| < 2. */
  high = 0;
  /** |low| <= 2^-53. */
  low = 0;
  /** A whole number; 0 for the number 0. */
  exponent = 0;
}

const LOWEST = -1022;
/** 2^-1022 … 2^1023 */
const POWERS = Float64Array.from({ length: 2046 }, (_, k) => 2 ** (k + LOWEST));
const probe = new DataView(new ArrayBuffer(8));

/** Returns `count` zeros. */
export function numbers(count: number): Scaled[] {
  return Array.from({ length: count }, () => new Scaled());
}

/** Returns number k. */
export function at(numbers: readonly Scaled[], k: number): Scaled {
  return numbers[k] as Scaled;
}

/** Returns 2^exponent exactly, for -1022 <= exponent <= 1023. */
export function powerOfTwo(exponent: number): number {
  return POWERS[exponent - LOWEST] as number;
}

/** Stores (high + low)·2^exponent with 1 <= |high| < 2. `high` is finite and equals fl(high + low). */
export function store(out: Scaled, high: number, low = 0, exponent = 0): void {
  if (high === 0) {
    out.high = 0;
    out.low = 0;
    out.exponent = 0;
    return;
  }
  probe.setFloat64(0, high);
  const k = ((probe.getUint32(0) >>> 20) & 0x7ff) - 1023;
  if (k < -1000 || k === 1023) {
    // Subnormal, or 2^-k is not a normal number.
    const up = k === 1023 ? -100 : 100;
    const factor = powerOfTwo(up);
    store(out, high * factor, low * factor, exponent - up);
    return;
  }
  const factor = powerOfTwo(-k);
  out.high = high * factor;
  out.low = low * factor;
  out.exponent = exponent + k;
}

/** Returns the nearest double; a subnormal is rounded twice. Beyond the largest double it returns ±Infinity. */
export function toDouble({ high, exponent }: Scaled): number {
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

/** Stores sign·x as value n. */
export function storeValue(
  values: ReferenceValues,
  n: number,
  { high, low, exponent }: Scaled,
  sign: 1 | -1 = 1,
): void {
  const outside = exponent < -900 || exponent > 1000;
  const factor = outside ? sign : sign * powerOfTwo(exponent);
  // + 0 turns -0 into 0.
  values.high[n] = high * factor + 0;
  values.low[n] = low * factor + 0;
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
