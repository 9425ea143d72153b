import { loadF64, storeSumsOfProducts, storeValue } from "./machine.js";
import {
  PAIR_SCALE,
  PAIR_UNSCALE,
  paddedClasses,
  SCALE,
  SMALLEST,
  scaledOnce,
  UNSCALE,
  vectorAt,
} from "./work.js";

// Entries of J from the pairs P (see work.ts); every entry is rounded once, and J is symmetric to the bit.

/** 2^-288: if P_i P_j is larger, no number that an entry is computed from is subnormal, also without the scale. */
export const SAFE: f64 = 2.010764683385949e-87;

/** Returns P_i P_j·2^-512, which is p_i p_j/T. */
export function productAt(
  work: usize,
  classes: usize,
  i: usize,
  j: usize,
): f64 {
  const highs = vectorAt(work, classes, 7);
  const lows = vectorAt(work, classes, 8);
  const middles = vectorAt(work, classes, 9);
  return scaledProduct(
    loadF64(highs + 8 * i) * loadF64(highs + 8 * j),
    loadF64(middles + 8 * i) * loadF64(lows + 8 * j) +
      loadF64(lows + 8 * i) * loadF64(middles + 8 * j),
  );
}

/** Returns P_k, rounded to one double. */
export function factorAt(work: usize, classes: usize, k: usize): f64 {
  const at = vectorAt(work, classes, 7) + 8 * k;
  return loadF64(at) - loadF64(at + 8 * paddedClasses(classes));
}

/** Returns P_k - factorAt. */
export function factorRestAt(work: usize, classes: usize, k: usize): f64 {
  const high = loadF64(vectorAt(work, classes, 7) + 8 * k);
  const low = loadF64(vectorAt(work, classes, 8) + 8 * k);
  return high - (high - low) - low;
}

/** Returns (large - small)·2^-512, rounded once; |small| <= |large|. */
export function scaledProduct(large: f64, small: f64): f64 {
  const value = large - small;
  return scaledOnce(value, large - value - small, UNSCALE, SCALE);
}

/** Returns (high - low)·2^-256, rounded once. */
export function scaledPair(high: f64, low: f64): f64 {
  const sum = high - low;
  return scaledOnce(sum, high - sum - low, PAIR_UNSCALE, PAIR_SCALE);
}

/**
 * Returns p_k (1 - p_k)/T as P (U - P)·2^-512 with U = 2^256/√T: high·U - high², which is exact in two doubles, and what the
 * low parts add. k is not the predicted class: P may be at most U/2.
 */
export function diagonal(
  high: f64,
  low: f64,
  middle: f64,
  unit: f64,
  unitLow: f64,
): f64 {
  const product = high * unit;
  const square = high * high;
  const large = product - square;
  const error = product - large - square;
  const factor = unit + unitLow - 2.0 * middle;
  return scaledProduct(large, low * factor - high * unitLow - error);
}

/** Returns the entry (k, k). */
export function diagonalAt(work: usize, classes: usize, k: usize): f64 {
  return loadF64(vectorAt(work, classes, 10) + 8 * k);
}

/** Stores the entries (i, j) != (i, i) for j in [from, to), float64 or rounded once to float32. Does not skip (i, i). */
export function storeRowEntries(
  work: usize,
  classes: usize,
  i: usize,
  from: usize,
  to: usize,
  out: usize,
  float32: bool,
): void {
  const highs = vectorAt(work, classes, 7);
  const lows = vectorAt(work, classes, 8);
  const middles = vectorAt(work, classes, 9);
  const high = loadF64(highs + 8 * i);
  if (high * loadF64(work + SMALLEST) < SAFE && high !== 0.0) {
    for (let j = from; j < to; j++)
      storeValue(out, j - from, 0.0 - productAt(work, classes, i, j), float32);
    return;
  }
  storeSumsOfProducts(
    out,
    float32,
    to - from,
    high * -UNSCALE,
    highs + 8 * from,
    loadF64(middles + 8 * i) * UNSCALE,
    lows + 8 * from,
    loadF64(lows + 8 * i) * UNSCALE,
    middles + 8 * from,
  );
}
