// Numbers of about 32 digits as unevaluated sums high + low of two doubles, |low| <= ulp(high)/2. Results are stored in a
// Float64Array: high at `at`, low at `at + 1`. Values are 0 or between 2^-300 and 2^300, so that nothing overflows.
// u = 2^-53. Algorithms and bounds: Joldes, Muller, Popescu, "Tight and rigorous error bounds for basic building blocks
// of double-word arithmetic", ACM TOMS 44(2), 2017; products of doubles by Veltkamp's split and Dekker, 1971.

/** 2^27 + 1 */
const SPLITTER = 134217729;

/** Returns the rounding error of s = fl(a + b): a + b = s + sumError(a, b, s) exactly (Knuth's two-sum). */
export function sumError(a: number, b: number, s: number): number {
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

/** Computes a + b with relative error 3 u², also if the terms cancel. */
export function storeSum(
  out: Float64Array,
  at: number,
  aHigh: number,
  aLow: number,
  bHigh: number,
  bLow: number,
): void {
  const s = aHigh + bHigh;
  const t = aLow + bLow;
  const c = sumError(aHigh, bHigh, s) + t;
  const v = s + c;
  const w = sumError(aLow, bLow, t) + (c - (v - s));
  const high = v + w;
  out[at] = high;
  out[at + 1] = w - (high - v);
}

/** Computes a b with relative error 7 u². */
export function storeProduct(
  out: Float64Array,
  at: number,
  aHigh: number,
  aLow: number,
  bHigh: number,
  bLow: number,
): void {
  const p = aHigh * bHigh;
  const rest = productError(aHigh, bHigh, p) + (aHigh * bLow + aLow * bHigh);
  const high = p + rest;
  out[at] = high;
  out[at + 1] = rest - (high - p);
}

/** Computes a/b with relative error 15 u². */
export function storeQuotient(
  out: Float64Array,
  at: number,
  aHigh: number,
  aLow: number,
  bHigh: number,
  bLow: number,
): void {
  const q = aHigh / bHigh;
  const p = q * bHigh;
  const rest =
    (aHigh - p - productError(q, bHigh, p) + (aLow - q * bLow)) / bHigh;
  const high = q + rest;
  out[at] = high;
  out[at + 1] = rest - (high - q);
}

/** Computes √a for a > 0 with relative error 4 u²: one Newton step from the rounded root. */
export function storeRoot(
  out: Float64Array,
  at: number,
  aHigh: number,
  aLow: number,
): void {
  const s = Math.sqrt(aHigh);
  const p = s * s;
  const rest = (aHigh - p - productError(s, s, p) + aLow) / (2 * s);
  const high = s + rest;
  out[at] = high;
  out[at + 1] = rest - (high - s);
}
