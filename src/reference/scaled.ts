// The reference's number: (high + low)·2^exponent, a double-double and a power of two of its own, so that nothing
// overflows, underflows or becomes subnormal: exp(-745), its square over T² and (o_k - m)/1e-100 keep all their digits.
//
//   place in a Float64Array | holds
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

/** Zeros for `count` numbers. */
export function numbers(count: number): Float64Array {
  return new Float64Array(PLACES * count);
}

/** 2^exponent, -1022 <= exponent <= 1023, exactly. */
export function powerOfTwo(exponent: number): number {
  return POWERS[exponent - LOWEST] as number;
}

/** Stores (high + low)·2^exponent, brought to 1 <= |high| < 2; high finite and the rounded sum of the two. */
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
    // Subnormal, or of a factor that 2^-k cannot be.
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

/** Any finite double, exactly. */
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

/** Turns the sign in place. */
export function negate(out: Float64Array, at: number): void {
  // 0 - x and not -x: there is one zero.
  out[at] = 0 - (out[at] as number);
  out[at + 1] = 0 - (out[at + 1] as number);
}

/** The nearest double but for a second rounding among the subnormals; ±Infinity beyond the largest. */
export function toDouble(x: Float64Array, at: number): number {
  const high = x[at] as number;
  const exponent = x[at + 2] as number;
  if (exponent > 1023) return high * Infinity;
  if (exponent < -1100) return high * 0;
  return exponent < LOWEST
    ? high * powerOfTwo(exponent + 100) * powerOfTwo(-100)
    : high * powerOfTwo(exponent);
}
