import { add, divide, multiply, subtract } from "./arithmetic.js";
import { exponential } from "./exponential.js";
import {
  copy,
  negate,
  numbers,
  PLACES,
  store,
  storeDouble,
  toDouble,
} from "./scaled.js";

/** Number of terms z^2k/(2k + 1) of atanh; for z <= 1/7 the remainder is below 2^-118. */
const TERMS = 21;
const ODD_INVERSES = oddInverses();
/** log1p uses its series below this |x|: |x/(2 + x)| is at most 1/7 (x = -1/4). */
const SERIES_BELOW = 0.25;

const ONE = numbers(1);
storeDouble(ONE, 0, 1);
const TWO = numbers(1);
storeDouble(TWO, 0, 2);
const scratch = numbers(4);
const [z, square, sum, guess] = [0, PLACES, 2 * PLACES, 3 * PLACES];
const argument = numbers(1);

/** Computes log(1 + x) for x > -1 with a relative error below 2^-97, however small x is. */
export function log1p(
  out: Float64Array,
  at: number,
  x: Float64Array,
  xAt: number,
): void {
  if (Math.abs(toDouble(x, xAt)) < SERIES_BELOW) {
    series(out, at, x, xAt);
    return;
  }
  add(argument, 0, ONE, 0, x, xAt);
  newton(out, at, argument, 0);
}

/** Computes log x for x > 0 with a relative error below 2^-97. */
export function logarithm(
  out: Float64Array,
  at: number,
  x: Float64Array,
  xAt: number,
): void {
  subtract(argument, 0, x, xAt, ONE, 0);
  if (Math.abs(toDouble(argument, 0)) < SERIES_BELOW)
    series(out, at, argument, 0);
  else newton(out, at, x, xAt);
}

/** Computes 2 atanh(z), z = x/(2 + x). */
function series(
  out: Float64Array,
  at: number,
  x: Float64Array,
  xAt: number,
): void {
  add(scratch, z, TWO, 0, x, xAt);
  divide(scratch, z, x, xAt, scratch, z);
  multiply(scratch, square, scratch, z, scratch, z);
  store(scratch, sum, 0, 0, 0);
  for (let k = TERMS - 1; k >= 0; k--) {
    multiply(scratch, sum, scratch, sum, scratch, square);
    add(scratch, sum, scratch, sum, ODD_INVERSES, k * PLACES);
  }
  multiply(out, at, scratch, sum, scratch, z);
  multiply(out, at, out, at, TWO, 0);
}

/**
 * Computes y + 2 (w - 1)/(w + 1), where y is the logarithm in double precision and w = x exp(-y). The error is
 * (log x - y)³/12, so that the last bit of y, which depends on the JavaScript engine, changes the result by 2^-150.
 */
function newton(
  out: Float64Array,
  at: number,
  x: Float64Array,
  xAt: number,
): void {
  storeDouble(
    scratch,
    guess,
    Math.log(x[xAt] as number) + Math.LN2 * (x[xAt + 2] as number),
  );
  copy(scratch, sum, scratch, guess);
  negate(scratch, sum);
  exponential(scratch, sum, scratch, sum);
  multiply(scratch, sum, scratch, sum, x, xAt);
  subtract(scratch, z, scratch, sum, ONE, 0);
  add(scratch, sum, scratch, sum, ONE, 0);
  divide(scratch, z, scratch, z, scratch, sum);
  multiply(scratch, z, scratch, z, TWO, 0);
  add(out, at, scratch, guess, scratch, z);
}

function oddInverses(): Float64Array {
  const out = numbers(TERMS);
  const one = numbers(1);
  const odd = numbers(1);
  storeDouble(one, 0, 1);
  for (let k = 0; k < TERMS; k++) {
    storeDouble(odd, 0, 2 * k + 1);
    divide(out, k * PLACES, one, 0, odd, 0);
  }
  return out;
}
