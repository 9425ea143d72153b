import { powerOfTwo, Scaled, store } from "./scaled.js";

// Numbers of about 32 digits as unevaluated sums high + low of two doubles, |low| <= ulp(high)/2, as arguments and results;
// `out` may be one of the arguments. Values are 0 or between 2^-300 and 2^300, so that nothing overflows.
// u = 2^-53. Algorithms and bounds: Joldes, Muller, Popescu, "Tight and rigorous error bounds for basic building blocks
// of double-word arithmetic", ACM TOMS 44(2), 2017; products of doubles by Veltkamp's split and Dekker, 1971.

/** The sum of two doubles. A Scaled is one too, without its exponent. */
interface Pair {
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

// Arithmetic of the numbers of scaled.ts: `out` becomes x ∘ y. The three may be the same number. Relative errors are
// those above, at most 15·2^-106 < 2^-102.

/** Difference of exponents beyond which the smaller term is ignored: it is below 2^-1000 of the larger. */
const FARTHEST = 1000;
const left = new Scaled();
const right = new Scaled();

/** Computes x + sign·y. */
export function add(out: Scaled, x: Scaled, y: Scaled, sign: 1 | -1 = 1): void {
  const apart = x.exponent - y.exponent;
  if (y.high === 0 || (x.high !== 0 && apart > FARTHEST))
    store(out, x.high, x.low, x.exponent);
  else if (x.high === 0 || apart < -FARTHEST)
    store(out, sign * y.high, sign * y.low, y.exponent);
  else {
    const exponent = Math.max(x.exponent, y.exponent);
    storeTimes(left, x, apart >= 0 ? 1 : powerOfTwo(apart));
    storeTimes(right, y, apart >= 0 ? sign * powerOfTwo(-apart) : sign);
    storeSum(out, left, right);
    store(out, out.high, out.low, exponent);
  }
}

export function subtract(out: Scaled, x: Scaled, y: Scaled): void {
  add(out, x, y, -1);
}

export function multiply(out: Scaled, x: Scaled, y: Scaled): void {
  const exponent = x.exponent + y.exponent;
  storeProduct(out, x, y);
  store(out, out.high, out.low, exponent);
}

/** Divides; y must not be 0. */
export function divide(out: Scaled, x: Scaled, y: Scaled): void {
  const exponent = x.exponent - y.exponent;
  storeQuotient(out, x, y);
  store(out, out.high, out.low, exponent);
}

/** Computes √x for x >= 0. */
export function squareRoot(out: Scaled, x: Scaled): void {
  if (x.high === 0) {
    store(out, 0);
    return;
  }
  const half = Math.floor(x.exponent / 2);
  storeTimes(left, x, x.exponent === 2 * half ? 1 : 2);
  storeRoot(out, left);
  store(out, out.high, out.low, half);
}

/** Stores both parts times a power of two, without the exponent. */
function storeTimes(out: Scaled, x: Scaled, factor: number): void {
  out.high = x.high * factor;
  out.low = x.low * factor;
}
