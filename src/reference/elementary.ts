import {
  add,
  divide,
  multiply,
  productError,
  storeProduct,
  storeQuotient,
  storeRoot,
  storeSum,
  subtract,
} from "./arithmetic.js";
import { at, numbers, powerOfTwo, Scaled, store, toDouble } from "./scaled.js";

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
const power = new Scaled();

/**
 * Computes exp(x) for x < 2^20 with a relative error below 2^-100 + |x|·2^-106; 0 for x <= -2^20.
 *
 * x = n·ln 2/64 + r with |r| <= 0.0055 (n ln 2 exact to 2^-160 of itself), n = 64 m + j:
 * exp(x) = 2^m·2^(j/64)·exp(r), exp(r) by its power series to r^13/13! (remainder under 2^-130).
 */
export function exponential(out: Scaled, x: Scaled): void {
  if (x.exponent > LARGEST_EXPONENT) {
    store(out, 0);
    return;
  }
  const scale = x.exponent < -300 ? 0 : powerOfTwo(x.exponent);
  const n = reduce(x.high * scale, x.low * scale);

  let top = at(INVERSE_FACTORIALS, 13).high;
  for (let k = 12; k > IN_DOUBLE; k--)
    top = at(INVERSE_FACTORIALS, k).high + r.high * top;
  power.high = top;
  power.low = 0;
  for (let k = IN_DOUBLE; k >= 1; k--) {
    storeProduct(power, power, r);
    storeSum(power, power, at(INVERSE_FACTORIALS, k));
  }
  storeProduct(power, power, r);
  const j = ((n % 64) + 64) % 64;
  storeProduct(power, power, at(ROOTS, j));
  storeSum(power, power, at(ROOTS, j));
  store(out, power.high, power.low, (n - j) / 64);
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

/** Number of terms z^2k/(2k + 1) of atanh; for z <= 1/7 the remainder is below 2^-118. */
const TERMS = 21;
/** log1p uses its series below this |x|: |x/(2 + x)| is at most 1/7 (x = -1/4). */
const SERIES_BELOW = 0.25;

export const ONE = new Scaled();
store(ONE, 1);
const TWO = new Scaled();
store(TWO, 2);
/** 1/(2k + 1) */
const ODD_INVERSES = numbers(TERMS);
for (const [k, inverse] of ODD_INVERSES.entries()) {
  store(inverse, 2 * k + 1);
  divide(inverse, ONE, inverse);
}
const z = new Scaled();
const square = new Scaled();
const sum = new Scaled();
const guess = new Scaled();
const argument = new Scaled();

/** Computes log(1 + x) for x > -1 with a relative error below 2^-97, however small x is. */
export function log1p(out: Scaled, x: Scaled): void {
  if (Math.abs(toDouble(x)) < SERIES_BELOW) series(out, x);
  else {
    add(argument, ONE, x);
    newton(out, argument);
  }
}

/** Computes 2 atanh(z), z = x/(2 + x). */
function series(out: Scaled, x: Scaled): void {
  add(z, TWO, x);
  divide(z, x, z);
  multiply(square, z, z);
  store(sum, 0);
  for (let k = TERMS - 1; k >= 0; k--) {
    multiply(sum, sum, square);
    add(sum, sum, at(ODD_INVERSES, k));
  }
  multiply(out, sum, z);
  multiply(out, out, TWO);
}

/**
 * Computes y + 2 (w - 1)/(w + 1), where y is the logarithm in double precision and w = x exp(-y). The error is
 * (log x - y)³/12, so that the last bit of y, which depends on the JavaScript engine, changes the result by 2^-150.
 */
function newton(out: Scaled, x: Scaled): void {
  const logarithm = Math.log(x.high) + Math.LN2 * x.exponent;
  store(guess, logarithm);
  store(sum, -logarithm);
  exponential(sum, sum);
  multiply(sum, sum, x);
  subtract(z, sum, ONE);
  add(sum, sum, ONE);
  divide(z, z, sum);
  multiply(z, z, TWO);
  add(out, guess, z);
}
