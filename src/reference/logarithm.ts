import { add, divide, multiply, subtract } from "./arithmetic.js";
import { exponential } from "./exponential.js";
import { at, numbers, Scaled, store, toDouble } from "./scaled.js";

/** Number of terms z^2k/(2k + 1) of atanh; for z <= 1/7 the remainder is below 2^-118. */
const TERMS = 21;
/** log1p uses its series below this |x|: |x/(2 + x)| is at most 1/7 (x = -1/4). */
const SERIES_BELOW = 0.25;

export const ONE = new Scaled();
store(ONE, 1);
const TWO = new Scaled();
store(TWO, 2);
const ODD_INVERSES = oddInverses();
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

function oddInverses(): Scaled[] {
  const out = numbers(TERMS);
  for (const [k, inverse] of out.entries()) {
    store(inverse, 2 * k + 1);
    divide(inverse, ONE, inverse);
  }
  return out;
}
