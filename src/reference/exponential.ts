import {
  productError,
  storeProduct,
  storeQuotient,
  storeRoot,
  storeSum,
} from "./double-double.js";
import { powerOfTwo, store } from "./scaled.js";

// ln 2 to 160 bits, as the sum of three doubles.
const LN2 = [Math.LN2, 2.3190468138462996e-17, 5.707708438416212e-34] as const;
/** 2^(j/64), high and low alternating. */
const ROOTS = rootsOfTwo();
/** 1/k!, high and low alternating. */
const INVERSE_FACTORIALS = inverseFactorials(13);
/** From this power on, double precision is enough: r^8/9! < 2^-79. */
const IN_DOUBLE = 8;
/** exp(-2^20) = 2^-1512775, which is 0 in every product with doubles. */
const LARGEST_EXPONENT = 19;

const d = new Float64Array(2);
const step = new Float64Array(2);

/**
 * Computes exp(x) with a relative error below 2^-100 + |x|·2^-106; 0 for x <= -2^20.
 *
 * x = n·ln 2/64 + r with |r| <= 0.0055 (n ln 2 exact to 2^-160 of itself), n = 64 m + j:
 * exp(x) = 2^m·2^(j/64)·exp(r), exp(r) by its power series to r^13/13! (remainder under 2^-130).
 *
 * @throws RangeError for x >= 2^20
 */
export function exponential(
  out: Float64Array,
  at: number,
  x: Float64Array,
  xAt: number,
): void {
  const exponent = x[xAt + 2] as number;
  const sign = x[xAt] as number;
  if (exponent > LARGEST_EXPONENT) {
    if (sign > 0)
      throw new RangeError(
        `expected an argument of exp under 2^20, found one of 2^${exponent}`,
      );
    store(out, at, 0, 0, 0);
    return;
  }
  const scale = exponent < -300 ? 0 : powerOfTwo(exponent);
  const n = reduce(sign * scale, (x[xAt + 1] as number) * scale);
  const rHigh = d[0] as number;
  const rLow = d[1] as number;

  const f = INVERSE_FACTORIALS;
  let top = f[2 * 13] as number;
  for (let k = 12; k > IN_DOUBLE; k--) top = (f[2 * k] as number) + rHigh * top;
  step[0] = top;
  step[1] = 0;
  for (let k = IN_DOUBLE; k >= 1; k--) {
    times(step, rHigh, rLow);
    plus(step, f[2 * k] as number, f[2 * k + 1] as number);
  }
  times(step, rHigh, rLow);
  const j = ((n % 64) + 64) % 64;
  const rootHigh = ROOTS[2 * j] as number;
  const rootLow = ROOTS[2 * j + 1] as number;
  times(step, rootHigh, rootLow);
  plus(step, rootHigh, rootLow);
  store(out, at, step[0] as number, step[1] as number, (n - j) / 64);
}

/** Writes x - n ln 2/64 to d and returns n. */
function reduce(high: number, low: number): number {
  const n = Math.round((high * 64) / LN2[0]);
  const m = n / 64;
  const a = m * LN2[0];
  const b = m * LN2[1];
  storeSum(d, 0, high, low, -a, -productError(m, LN2[0], a));
  plus(d, -b, -productError(m, LN2[1], b));
  plus(d, -m * LN2[2], 0);
  return n;
}

function times(value: Float64Array, high: number, low: number): void {
  storeProduct(value, 0, value[0] as number, value[1] as number, high, low);
}

function plus(value: Float64Array, high: number, low: number): void {
  storeSum(value, 0, value[0] as number, value[1] as number, high, low);
}

/** Computes 2^(j/64) as products of 2^(1/2), 2^(1/4), … 2^(1/64), each the square root of the previous one. */
function rootsOfTwo(): Float64Array {
  const roots = new Float64Array(128);
  roots[0] = 1;
  const root = Float64Array.of(2, 0);
  for (let bit = 32; bit >= 1; bit /= 2) {
    storeRoot(root, 0, root[0] as number, root[1] as number);
    for (let j = 0; j < 64; j += 2 * bit) {
      const [high, low] = [roots[2 * j] as number, roots[2 * j + 1] as number];
      const at = 2 * (j + bit);
      storeProduct(roots, at, high, low, root[0] as number, root[1] as number);
    }
  }
  return roots;
}

function inverseFactorials(last: number): Float64Array {
  const out = new Float64Array(2 * (last + 1));
  out[0] = 1;
  for (let k = 1; k <= last; k++)
    storeQuotient(
      out,
      2 * k,
      out[2 * k - 2] as number,
      out[2 * k - 1] as number,
      k,
      0,
    );
  return out;
}
