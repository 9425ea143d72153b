// Numbers of about 32 digits as unevaluated sums high + low of two doubles, |low| <= ulp(high)/2, as arguments and results;
// `out` may be one of the arguments. Values are 0 or between 2^-300 and 2^300, so that nothing overflows.
// u = 2^-53. Algorithms and bounds: Joldes, Muller, Popescu, "Tight and rigorous error bounds for basic building blocks
// of double-word arithmetic", ACM TOMS 44(2), 2017; products of doubles by Veltkamp's split and Dekker, 1971.

/** The sum of two doubles. A Scaled is one too, without its exponent. */
export interface Pair {
  high: number;
  low: number;
}

/** 2^27 + 1 */
const SPLITTER = 134217729;

/** Returns the rounding error of s = fl(a + b): a + b = s + sumError(a, b, s) exactly (Knuth's two-sum). */
function sumError(a: number, b: number, s: number): number {
  const t = s - a;
  return a - (s - t) + (b - t);
}

/** Returns the rounding error of p = fl(a b): a b = p + productError(a, b, p) exactly. */
export function productError(a: number, b: number, p: number): number {
  const ca = SPLITTER * a;
  const aHigh = ca - (ca - a);
  const aLow = a - aHigh;
  const cb = SPLITTER * b;
  const bHigh = cb - (cb - b);
  const bLow = b - bHigh;
  return aLow * bLow - (p - aHigh * bHigh - aLow * bHigh - aHigh * bLow);
}

/** Stores high + low, where |high| is the larger. */
function storePair(out: Pair, high: number, low: number): void {
  out.high = high + low;
  out.low = low - (out.high - high);
}

/** Computes a + b with relative error 3 u², also if the terms cancel. */
export function storeSum(out: Pair, a: Pair, b: Pair): void {
  const s = a.high + b.high;
  const t = a.low + b.low;
  const c = sumError(a.high, b.high, s) + t;
  const v = s + c;
  storePair(out, v, sumError(a.low, b.low, t) + (c - (v - s)));
}

/** Computes a b with relative error 7 u². */
export function storeProduct(out: Pair, a: Pair, b: Pair): void {
  const p = a.high * b.high;
  const rest = a.high * b.low + a.low * b.high;
  storePair(out, p, productError(a.high, b.high, p) + rest);
}

/** Computes a/b with relative error 15 u². */
export function storeQuotient(out: Pair, a: Pair, b: Pair): void {
  const q = a.high / b.high;
  const p = q * b.high;
  const error = productError(q, b.high, p);
  storePair(out, q, (a.high - p - error + (a.low - q * b.low)) / b.high);
}

/** Computes √a for a > 0 with relative error 4 u²: one Newton step from the rounded root. */
export function storeRoot(out: Pair, a: Pair): void {
  const s = Math.sqrt(a.high);
  const p = s * s;
  storePair(out, s, (a.high - p - productError(s, s, p) + a.low) / (2 * s));
}
