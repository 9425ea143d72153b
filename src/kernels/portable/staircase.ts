import { diagonalAt, productAt } from "./entries.js";
import { loadF64, loadI32, rounded32, storeI32 } from "./machine.js";
import {
  classAt,
  endAt,
  LOG_SOFTMAX_BLOCK,
  restAt,
  sortedAt,
} from "./sparse-space.js";
import {
  errorOfSum,
  over,
  pAt,
  SCALE,
  TEMPERATURE,
  UNSCALE,
  WINNER,
  winnerOf,
} from "./work.js";

// Finds the entries of a block with |J_ij| >= threshold without visiting the others.
//
// With p sorted from large to small, the entries |J_ij| = p_i p_j/T (i ≠ j) above a threshold form a staircase: the larger
// p_i, the more of the sorted p_j. In the block of log-softmax, |J_ij| = p_i/T, they are whole rows. Equal factors give equal
// products, and a larger factor gives a larger product, so the staircase is exact for the values as stored. (Factors that
// differ by less than 2^-75 of their size may give products in the other order.) Sorting takes Q log Q steps, walking the
// staircase 2 Q.

/** Returns the value as stored. */
export function stored(value: f64, float32: bool): f64 {
  return float32 ? rounded32(value) : value;
}

/** Returns |J_ij| of the classes at two places. */
function productOf(
  work: usize,
  classes: usize,
  space: usize,
  s: usize,
  other: usize,
): f64 {
  return productAt(
    work,
    classes,
    loadI32(classAt(space, classes, s)) as usize,
    loadI32(classAt(space, classes, other)) as usize,
  );
}

/** Returns whether |J_ij| of the classes at two places is at least `threshold` as stored. */
function isAtLeast(
  work: usize,
  classes: usize,
  space: usize,
  s: usize,
  other: usize,
  threshold: f64,
  float32: bool,
): bool {
  // The product of the rounded factors decides, unless it is close to the threshold, or almost subnormal as stored.
  const size = sortedAt(space, s) * sortedAt(space, other) * UNSCALE;
  if (size > (float32 ? 1e-37 : 1e-300)) {
    const margin = size * (float32 ? 2.4e-7 : 8.9e-16);
    if (size - margin > threshold) return true;
    if (size + margin < threshold) return false;
  }
  return (
    stored(productOf(work, classes, space, s, other), float32) >= threshold
  );
}

function isLog(space: usize): bool {
  return loadF64(space + LOG_SOFTMAX_BLOCK) !== 0.0;
}

/** Returns the diagonal entry (k, k). */
export function ownEntry(
  work: usize,
  classes: usize,
  k: usize,
  t: f64,
  log: bool,
): f64 {
  if (!log) return diagonalAt(work, classes, k);
  const diagonal =
    k === winnerOf(work) ? loadF64(work + WINNER) : 1.0 - pAt(work, k);
  return over(diagonal, t);
}

/**
 * Walks the staircase: stores the end of the places kept with each place (endAt). Returns the number of entries of at least
 * `threshold`, diagonal included.
 */
export function walk(
  work: usize,
  classes: usize,
  space: usize,
  threshold: f64,
  float32: bool,
): f64 {
  const t = loadF64(work + TEMPERATURE);
  const log = isLog(space);
  let end = classes;
  let total = 0.0;
  for (let s: usize = 0; s < classes; s++) {
    if (log)
      end =
        stored(over(sortedAt(space, s), t), float32) >= threshold ? classes : 0;
    else
      while (
        end > 0 &&
        !isAtLeast(work, classes, space, s, end - 1, threshold, float32)
      )
        end = end - 1;
    storeI32(endAt(space, classes, s), end as i32);
    total += end as f64;
    if (s < end) total -= 1.0;
    if (stored(ownEntry(work, classes, s, t, log), float32) >= threshold)
      total += 1.0;
  }
  return total;
}

/** Returns the largest |entry| below `threshold`, or 0. Requires walk with the same threshold. */
export function largestUnder(
  work: usize,
  classes: usize,
  space: usize,
  threshold: f64,
  float32: bool,
): f64 {
  const t = loadF64(work + TEMPERATURE);
  const log = isLog(space);
  let largest = 0.0;
  for (let s: usize = 0; s < classes; s++) {
    let end = loadI32(endAt(space, classes, s)) as usize;
    if (end === s) end = end + 1;
    if (end < classes) {
      const value = stored(
        log ? sortedAt(space, s) / t : productOf(work, classes, space, s, end),
        float32,
      );
      if (value > largest) largest = value;
    }
    const diagonal = stored(ownEntry(work, classes, s, t, log), float32);
    if (diagonal < threshold && diagonal > largest) largest = diagonal;
  }
  return largest;
}

/** Returns the k-th largest |entry|, or 0 if fewer are nonzero: bisects geometrically, then steps down value by value. */
export function kthLargest(
  work: usize,
  classes: usize,
  space: usize,
  k: f64,
  float32: bool,
): f64 {
  let low = 5e-324;
  if (walk(work, classes, space, low, float32) < k) return 0.0;
  let high = 1e101;
  for (let n = 0; n < 70; n++) {
    const middle = Math.sqrt(low) * Math.sqrt(high);
    if (!(middle > low && middle < high)) break;
    if (walk(work, classes, space, middle, float32) >= k) low = middle;
    else high = middle;
  }
  walk(work, classes, space, high, float32);
  let value = largestUnder(work, classes, space, high, float32);
  while (walk(work, classes, space, value, float32) < k)
    value = largestUnder(work, classes, space, value, float32);
  return value;
}

/**
 * Returns Σ |J_ij| of the entries below `threshold`: for each place the sum of the smaller p without its own, and the
 * diagonal. Requires walk with the same threshold.
 */
export function droppedSum(
  work: usize,
  classes: usize,
  space: usize,
  threshold: f64,
  float32: bool,
): f64 {
  const t = loadF64(work + TEMPERATURE);
  const log = isLog(space);
  const lows: usize = 8 * classes + 8;
  let sum = 0.0;
  let lost = 0.0;
  for (let s: usize = 0; s < classes; s++) {
    const p = sortedAt(space, s);
    const end = loadI32(endAt(space, classes, s)) as usize;
    // p is the first term of the sum, or smaller than another term: subtracting it loses at most one bit.
    const from = end === s ? end + 1 : end;
    let rest = 0.0;
    if (log) rest = end === 0 ? (classes as f64) - 1.0 : 0.0;
    else if (s > end)
      rest =
        loadF64(restAt(space, classes, from)) -
        p +
        loadF64(restAt(space, classes, from) + lows);
    else
      rest =
        loadF64(restAt(space, classes, from)) +
        loadF64(restAt(space, classes, from) + lows);
    const term = p * rest;
    const next = sum + term;
    lost += errorOfSum(sum, term, next);
    sum = next;
    if (stored(ownEntry(work, classes, s, t, log), float32) < threshold) {
      const diagonal = log
        ? ownEntry(work, classes, s, 1.0, log)
        : diagonalAt(work, classes, s) * SCALE;
      const all = sum + diagonal;
      lost += errorOfSum(sum, diagonal, all);
      sum = all;
    }
  }
  return log ? (sum + lost) / t : (sum + lost) * UNSCALE;
}
