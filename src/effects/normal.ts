import { errorOfProduct } from "../kernels/portable/work.js";
import { exponential } from "../reference/elementary.js";
import { Scaled, store, toDouble } from "../reference/scaled.js";

// The standard normal distribution, by operations whose bits IEEE 754 fixes. |z| < 1 uses the power series of erf,
// larger |z| the continued fraction of Mills' ratio. Neither cancels: 1 - erf is at least 0.31 where it is used.

/** √(2/π) */
const PEAK = 0.7978845608028654;
const SERIES_BELOW = 1;
/** p is below half of the smallest subnormal from |z| = 38.6 on. */
const UNDERFLOW = 40;
/** (-1)^k/(k! (2k + 1)); for |z| < 1 the remainder of the series is below 2^-64. */
const SERIES = seriesOfErf(15);

const power = new Scaled();

/**
 * Returns the two-sided p-value erfc(|z|/√2) with a relative error of about 1e-15; beyond |z| = 37.5 it is subnormal or
 * 0. Returns NaN for NaN.
 */
export function twoSidedP(z: number): number {
  const size = Math.abs(z);
  if (size < SERIES_BELOW) return 1 - central(size);
  if (size > UNDERFLOW) return 0;
  return bell(size, 1 / millsDenominator(size));
}

/**
 * Returns the z with P(|Z| <= z) = level, for 0 <= level < 1, to about one ulp of the double `level`. The tail is convex,
 * so that Newton's method from 0 rises to z until rounding errors end it.
 */
export function normalQuantile(level: number): number {
  let z = 0;
  for (;;) {
    // 1 - level is exact where it is used.
    const missing =
      z < SERIES_BELOW ? level - central(z) : twoSidedP(z) - (1 - level);
    const next = z + missing / bell(z, 1);
    if (!(next > z)) return next;
    z = next;
  }
}

/** Returns erf(z/√2) = √(2/π) Σ (-1)^k z (z²/2)^k/(k! (2k + 1)) for 0 <= z < 1. */
function central(z: number): number {
  const u = (z * z) / 2;
  let sum = 0;
  for (let k = SERIES.length - 1; k >= 0; k--)
    sum = sum * u + (SERIES[k] as number);
  return PEAK * (z * sum);
}

/** Returns m for which erfc(z/√2) = √(2/π) exp(-z²/2)/m, m = z + 1/(z + 2/(z + 3/(z + …))). All terms are positive. */
function millsDenominator(z: number): number {
  let m = z;
  // With n terms the relative error is of the order of exp(-2z √n).
  for (let k = Math.trunc(450 / (z * z)) + 10; k >= 1; k--) m = z + k / m;
  return m;
}

/**
 * Returns factor·√(2/π) exp(-z²/2). z²/2 is a pair, since its rounding error would be a relative error of up to 5e-14,
 * and rounding z/√2 first would cost more.
 */
function bell(z: number, factor: number): number {
  const square = z * z;
  store(power, square / -2, errorOfProduct(z, z, square) / -2);
  exponential(power, power);
  store(power, power.high * PEAK * factor, 0, power.exponent);
  return toDouble(power);
}

function seriesOfErf(last: number): Float64Array {
  const out = new Float64Array(last + 1);
  let factorial = 1;
  for (let k = 0; k <= last; k++) {
    out[k] = 1 / (factorial * (2 * k + 1));
    factorial *= -(k + 1);
  }
  return out;
}
