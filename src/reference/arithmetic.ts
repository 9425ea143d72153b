import {
  storeProduct,
  storeQuotient,
  storeRoot,
  storeSum,
} from "./double-double.js";
import { copy, powerOfTwo, Scaled, store } from "./scaled.js";

// Arithmetic of the numbers of scaled.ts: `out` becomes x ∘ y. The three may be the same number. Relative errors are
// those of double-double.ts, at most 15·2^-106 < 2^-102.

/** Difference of exponents beyond which the smaller term is ignored: it is below 2^-1000 of the larger. */
const FARTHEST = 1000;
const left = new Scaled();
const right = new Scaled();

/** Computes x + sign·y. */
export function add(out: Scaled, x: Scaled, y: Scaled, sign: 1 | -1 = 1): void {
  const apart = x.exponent - y.exponent;
  if (y.high === 0 || (x.high !== 0 && apart > FARTHEST)) copy(out, x);
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
