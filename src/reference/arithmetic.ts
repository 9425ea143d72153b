import {
  storeProduct,
  storeQuotient,
  storeRoot,
  storeSum,
} from "./double-double.js";
import { copy, powerOfTwo, store } from "./scaled.js";

// Arithmetic of the numbers of scaled.ts: `out` at `at` becomes x at `xAt` ∘ y at `yAt`. The three may be the same
// place. Relative errors are those of double-double.ts, at most 15·2^-106 < 2^-102.

/** Difference of exponents beyond which the smaller term is ignored: it is below 2^-1000 of the larger. */
const FARTHEST = 1000;
const pair = new Float64Array(2);

export function add(
  out: Float64Array,
  at: number,
  x: Float64Array,
  xAt: number,
  y: Float64Array,
  yAt: number,
): void {
  combine(out, at, x, xAt, y, yAt, 1);
}

export function subtract(
  out: Float64Array,
  at: number,
  x: Float64Array,
  xAt: number,
  y: Float64Array,
  yAt: number,
): void {
  combine(out, at, x, xAt, y, yAt, -1);
}

export function multiply(
  out: Float64Array,
  at: number,
  x: Float64Array,
  xAt: number,
  y: Float64Array,
  yAt: number,
): void {
  storeProduct(
    pair,
    0,
    x[xAt] as number,
    x[xAt + 1] as number,
    y[yAt] as number,
    y[yAt + 1] as number,
  );
  const exponent = (x[xAt + 2] as number) + (y[yAt + 2] as number);
  store(out, at, pair[0] as number, pair[1] as number, exponent);
}

/** Divides; y must not be 0. */
export function divide(
  out: Float64Array,
  at: number,
  x: Float64Array,
  xAt: number,
  y: Float64Array,
  yAt: number,
): void {
  storeQuotient(
    pair,
    0,
    x[xAt] as number,
    x[xAt + 1] as number,
    y[yAt] as number,
    y[yAt + 1] as number,
  );
  const exponent = (x[xAt + 2] as number) - (y[yAt + 2] as number);
  store(out, at, pair[0] as number, pair[1] as number, exponent);
}

/** Computes √x for x >= 0. */
export function squareRoot(
  out: Float64Array,
  at: number,
  x: Float64Array,
  xAt: number,
): void {
  const high = x[xAt] as number;
  if (high === 0) {
    store(out, at, 0, 0, 0);
    return;
  }
  const exponent = x[xAt + 2] as number;
  const half = Math.floor(exponent / 2);
  const odd = exponent === 2 * half ? 1 : 2;
  storeRoot(pair, 0, odd * high, odd * (x[xAt + 1] as number));
  store(out, at, pair[0] as number, pair[1] as number, half);
}

/** Computes x + sign·y. */
function combine(
  out: Float64Array,
  at: number,
  x: Float64Array,
  xAt: number,
  y: Float64Array,
  yAt: number,
  sign: number,
): void {
  const yHigh = sign * (y[yAt] as number);
  const yLow = sign * (y[yAt + 1] as number);
  const xHigh = x[xAt] as number;
  const apart = (x[xAt + 2] as number) - (y[yAt + 2] as number);
  if (yHigh === 0 || (xHigh !== 0 && apart > FARTHEST)) {
    copy(out, at, x, xAt);
    return;
  }
  const yExponent = y[yAt + 2] as number;
  if (xHigh === 0 || apart < -FARTHEST) {
    store(out, at, yHigh, yLow, yExponent);
    return;
  }
  const xLow = x[xAt + 1] as number;
  if (apart >= 0) {
    const factor = powerOfTwo(-apart);
    storeSum(pair, 0, xHigh, xLow, yHigh * factor, yLow * factor);
    const exponent = x[xAt + 2] as number;
    store(out, at, pair[0] as number, pair[1] as number, exponent);
  } else {
    const factor = powerOfTwo(apart);
    storeSum(pair, 0, xHigh * factor, xLow * factor, yHigh, yLow);
    store(out, at, pair[0] as number, pair[1] as number, yExponent);
  }
}
