import {
  loadF32,
  loadF64,
  loadI32,
  rounded32,
  storeF64,
  storeI32,
  storeValue,
} from "./machine.js";
import {
  classAt,
  endAt,
  nextAt,
  placeAt,
  prepareSpace,
  restAt,
  sortedAt,
} from "./sparse-space.js";
import { diagonalAt } from "./vectors.js";
import { errorOfSum, pAt, TEMPERATURE } from "./work.js";

// The entries of one row's block that are large enough, without visiting the others.
//
// With p sorted from large to small, |J_ij| = p_i p_j/T is at least a threshold in a staircase: the larger p_i, the more
// of the sorted p_j. Rounding keeps the order, so that the staircase is exact for the values as stored. It takes
// Q log Q to sort, 2 Q to walk, and then only the entries that are kept.
//

/** |J_ij| as stored. */
function size(x: f64, y: f64, t: f64, float32: bool): f64 {
  const value = (x * y) / t;
  return float32 ? rounded32(value) : value;
}

function diagonalSize(work: usize, k: usize, t: f64, float32: bool): f64 {
  const value = diagonalAt(work, k) / t;
  return float32 ? rounded32(value) : value;
}

/** Walks the staircase: how many are kept with each place. Returns how many entries there are, diagonal included. */
function walk(
  work: usize,
  classes: usize,
  space: usize,
  threshold: f64,
  float32: bool,
): f64 {
  const t = loadF64(work + TEMPERATURE);
  let end = classes;
  let total = 0.0;
  for (let s: usize = 0; s < classes; s++) {
    const p = sortedAt(space, s);
    while (end > 0 && size(p, sortedAt(space, end - 1), t, float32) < threshold)
      end = end - 1;
    storeI32(endAt(space, classes, s), end as i32);
    total += end as f64;
    if (s < end) total -= 1.0;
    if (diagonalSize(work, s, t, float32) >= threshold) total += 1.0;
  }
  return total;
}

/** The largest |entry| under `threshold`, after walk with it; 0 for none. */
function largestUnder(
  work: usize,
  classes: usize,
  space: usize,
  threshold: f64,
  float32: bool,
): f64 {
  const t = loadF64(work + TEMPERATURE);
  let largest = 0.0;
  for (let s: usize = 0; s < classes; s++) {
    let end = loadI32(endAt(space, classes, s)) as usize;
    if (end === s) end = end + 1;
    if (end < classes) {
      const value = size(sortedAt(space, s), sortedAt(space, end), t, float32);
      if (value > largest) largest = value;
    }
    const own = diagonalSize(work, s, t, float32);
    if (own < threshold && own > largest) largest = own;
  }
  return largest;
}

/** The k-th largest |entry| (0 where there are fewer that are not 0): bisection of the exponent, then of values. */
function kthLargest(
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
 * The entries of J with |value as stored| >= threshold (0: those that are not 0), of these the `topK` largest (0: all;
 * of equal ones the first), in order of index i·Q + j: indices (int32) and values. At `dropped`: the largest |J_ij| that
 * is left out, and their sum, each float64. Returns how many entries there are.
 */
export function storeEntries(
  work: usize,
  classes: usize,
  space: usize,
  threshold: f64,
  topK: f64,
  indices: usize,
  values: usize,
  float32: bool,
  dropped: usize,
): i32 {
  const t = loadF64(work + TEMPERATURE);
  prepareSpace(work, classes, space);
  let least = threshold > 5e-324 ? threshold : 5e-324;
  let tie = 0.0;
  if (topK > 0.0) {
    const kth = kthLargest(work, classes, space, topK, float32);
    if (kth >= least) {
      least = kth;
      tie = kth;
    }
  }
  walk(work, classes, space, least, float32);
  storeF64(dropped, largestUnder(work, classes, space, least, float32));
  storeF64(dropped + 8, droppedSum(work, classes, space, least, float32));

  // where each class's entries start
  let count: i32 = 0;
  for (let k: usize = 0; k < classes; k++) {
    const s = loadI32(placeAt(space, classes, k)) as usize;
    const end = loadI32(endAt(space, classes, s)) as usize;
    storeI32(nextAt(space, classes, k), count);
    count = count + (end as i32);
    if (s < end) count = count - 1;
    if (diagonalSize(work, k, t, float32) >= least) count = count + 1;
  }
  // column by column, so that every row's entries come in order of their column
  for (let j: usize = 0; j < classes; j++) {
    const p = pAt(work, j);
    const s = loadI32(placeAt(space, classes, j)) as usize;
    const end = loadI32(endAt(space, classes, s)) as usize;
    for (let r: usize = 0; r < end; r++) {
      if (r === s) continue;
      const i = loadI32(classAt(space, classes, r)) as usize;
      const at = loadI32(nextAt(space, classes, i)) as usize;
      storeI32(nextAt(space, classes, i), (at as i32) + 1);
      storeI32(indices + 4 * at, (i * classes + j) as i32);
      storeValue(values, at, (0.0 - pAt(work, i) * p) / t, float32);
    }
    if (diagonalSize(work, j, t, float32) >= least) {
      const at = loadI32(nextAt(space, classes, j)) as usize;
      storeI32(nextAt(space, classes, j), (at as i32) + 1);
      storeI32(indices + 4 * at, (j * classes + j) as i32);
      storeValue(values, at, diagonalAt(work, j) / t, float32);
    }
  }
  if (tie > 0.0)
    return dropTies(indices, values, count, topK, tie, float32, dropped);
  return count;
}

/** Σ |J_ij| of what is under the threshold: per place the rest of p, less its own, and the diagonal. After walk. */
function droppedSum(
  work: usize,
  classes: usize,
  space: usize,
  threshold: f64,
  float32: bool,
): f64 {
  const t = loadF64(work + TEMPERATURE);
  const lows: usize = 8 * classes + 8;
  let sum = 0.0;
  let lost = 0.0;
  for (let s: usize = 0; s < classes; s++) {
    const p = sortedAt(space, s);
    const end = loadI32(endAt(space, classes, s)) as usize;
    // its own p is the first of the rest, or smaller than another: taking it off loses one bit at most
    const from = end === s ? end + 1 : end;
    const at = restAt(space, classes, from);
    const rest =
      s > end
        ? loadF64(at) - p + loadF64(at + lows)
        : loadF64(at) + loadF64(at + lows);
    const term = p * rest;
    const next = sum + term;
    lost += errorOfSum(sum, term, next);
    sum = next;
    if (diagonalSize(work, s, t, float32) < threshold) {
      const own = diagonalAt(work, s);
      const all = sum + own;
      lost += errorOfSum(sum, own, all);
      sum = all;
    }
  }
  return (sum + lost) / t;
}

/** Leaves the first of the entries equal to `tie` in, as many as make k entries; closes the gaps. */
function dropTies(
  indices: usize,
  values: usize,
  count: i32,
  k: f64,
  tie: f64,
  float32: bool,
  dropped: usize,
): i32 {
  const width: usize = float32 ? 4 : 8;
  let ties = 0.0;
  for (let n: usize = 0; n < (count as usize); n++)
    if (Math.abs(valueAt(values + n * width, float32)) === tie) ties += 1.0;
  let room = k - ((count as f64) - ties);
  let kept: usize = 0;
  for (let n: usize = 0; n < (count as usize); n++) {
    const value = valueAt(values + n * width, float32);
    if (Math.abs(value) === tie) {
      room -= 1.0;
      if (room < 0.0) continue;
    }
    storeI32(indices + 4 * kept, loadI32(indices + 4 * n));
    storeValue(values, kept, value, float32);
    kept = kept + 1;
  }
  const out = (count as f64) - (kept as f64);
  if (out > 0.0) {
    storeF64(dropped, tie);
    storeF64(dropped + 8, loadF64(dropped + 8) + out * tie);
  }
  return kept as i32;
}

function valueAt(address: usize, float32: bool): f64 {
  return float32 ? loadF32(address) : loadF64(address);
}
