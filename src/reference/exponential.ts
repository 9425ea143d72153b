import {
  productError,
  storeProduct,
  storeQuotient,
  storeRoot,
  storeSum,
} from "./double-double.js";
import { at, numbers, powerOfTwo, Scaled, store } from "./scaled.js";

// ln 2 to 160 bits, as the sum of three doubles.
const LN2 = [Math.LN2, 2.3190468138462996e-17, 5.707708438416212e-34] as const;
/** 2^(j/64) */
const ROOTS = rootsOfTwo();
/** 1/k! */
const INVERSE_FACTORIALS = inverseFactorials(13);
/** From this power on, double precision is enough: r^8/9! < 2^-79. */
const IN_DOUBLE = 8;
/** exp(-2^20) = 2^-1512775, which is 0 in every product with doubles. */
const LARGEST_EXPONENT = 19;

const r = new Scaled();
const term = new Scaled();
const sum = new Scaled();

/**
 * Computes exp(x) with a relative error below 2^-100 + |x|·2^-106; 0 for x <= -2^20.
 *
 * x = n·ln 2/64 + r with |r| <= 0.0055 (n ln 2 exact to 2^-160 of itself), n = 64 m + j:
 * exp(x) = 2^m·2^(j/64)·exp(r), exp(r) by its power series to r^13/13! (remainder under 2^-130).
 *
 * @throws RangeError for x >= 2^20
 */
export function exponential(out: Scaled, x: Scaled): void {
  if (x.exponent > LARGEST_EXPONENT) {
    if (x.high > 0)
      throw new RangeError(
        `expected an argument of exp under 2^20, found one of 2^${x.exponent}`,
      );
    store(out, 0);
    return;
  }
  const scale = x.exponent < -300 ? 0 : powerOfTwo(x.exponent);
  const n = reduce(x.high * scale, x.low * scale);

  let top = at(INVERSE_FACTORIALS, 13).high;
  for (let k = 12; k > IN_DOUBLE; k--)
    top = at(INVERSE_FACTORIALS, k).high + r.high * top;
  sum.high = top;
  sum.low = 0;
  for (let k = IN_DOUBLE; k >= 1; k--) {
    storeProduct(sum, sum, r);
    storeSum(sum, sum, at(INVERSE_FACTORIALS, k));
  }
  storeProduct(sum, sum, r);
  const j = ((n % 64) + 64) % 64;
  storeProduct(sum, sum, at(ROOTS, j));
  storeSum(sum, sum, at(ROOTS, j));
  store(out, sum.high, sum.low, (n - j) / 64);
}

/** Stores x - n ln 2/64 in r and returns n. */
function reduce(high: number, low: number): number {
  const n = Math.round((high * 64) / LN2[0]);
  const m = n / 64;
  const a = m * LN2[0];
  const b = m * LN2[1];
  r.high = high;
  r.low = low;
  subtractFromR(a, productError(m, LN2[0], a));
  subtractFromR(b, productError(m, LN2[1], b));
  subtractFromR(m * LN2[2], 0);
  return n;
}

function subtractFromR(high: number, low: number): void {
  term.high = -high;
  term.low = -low;
  storeSum(r, r, term);
}

/** Computes 2^(j/64) as products of 2^(1/2), 2^(1/4), … 2^(1/64), each the square root of the previous one. */
function rootsOfTwo(): Scaled[] {
  const roots = numbers(64);
  at(roots, 0).high = 1;
  const root = new Scaled();
  root.high = 2;
  for (let bit = 32; bit >= 1; bit /= 2) {
    storeRoot(root, root);
    for (let j = 0; j < 64; j += 2 * bit)
      storeProduct(at(roots, j + bit), at(roots, j), root);
  }
  return roots;
}

function inverseFactorials(last: number): Scaled[] {
  const out = numbers(last + 1);
  at(out, 0).high = 1;
  const divisor = new Scaled();
  for (let k = 1; k <= last; k++) {
    divisor.high = k;
    storeQuotient(at(out, k), at(out, k - 1), divisor);
  }
  return out;
}
