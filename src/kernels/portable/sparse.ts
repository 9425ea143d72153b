import { LOG_JACOBIAN } from "./codes.js";
import { productAt, storeRowEntries } from "./entries.js";
import { addClasses, classesBefore } from "./kept-classes.js";
import {
  addI32,
  fillI32,
  loadF32,
  loadF64,
  loadI32,
  storeF64,
  storeI32,
  storeValue,
} from "./machine.js";
import {
  ABOVE_TIE,
  classAt,
  endAt,
  keptClassAt,
  LEAST,
  LOG_SOFTMAX_BLOCK,
  nextAt,
  placeAt,
  prepareSpace,
  rowCountAt,
  TIE,
  TIE_ROW,
  TIES_LEFT,
  tileAt,
} from "./sparse-space.js";
import {
  droppedSum,
  kthLargest,
  largestUnder,
  ownEntry,
  stored,
  walk,
} from "./staircase.js";
import { over, pAt, TEMPERATURE } from "./work.js";

/**
 * Counts the entries of the block in `work` with |value as stored| >= threshold (0: all nonzeros), at most the `topK`
 * largest (0: no limit; in case of ties the first). Prepares `space` for storeEntries, and stores the largest dropped
 * |J_ij| and the sum of all at `dropped`, each float64.
 */
export function countEntries(
  code: i32,
  work: usize,
  classes: usize,
  space: usize,
  threshold: f64,
  topK: f64,
  float32: bool,
  dropped: usize,
): f64 {
  const log = code === LOG_JACOBIAN;
  storeF64(space + LOG_SOFTMAX_BLOCK, log ? 1.0 : 0.0);
  prepareSpace(work, classes, space, log);
  let minValue = threshold > 5e-324 ? threshold : 5e-324;
  let tie = 0.0;
  if (topK > 0.0) {
    const kth = kthLargest(work, classes, space, topK, float32);
    if (kth >= minValue) {
      minValue = kth;
      tie = kth;
    }
  }
  const count = walk(work, classes, space, minValue, float32);
  storeF64(dropped, largestUnder(work, classes, space, minValue, float32));
  storeF64(dropped + 8, droppedSum(work, classes, space, minValue, float32));
  storeF64(space + LEAST, minValue);
  storeF64(space + TIE, 0.0);
  storeRowCounts(work, classes, space, minValue, float32);
  if (tie === 0.0 || count <= topK) return count;
  // Ties beyond the k-th entry are dropped as well.
  storeF64(dropped, tie);
  storeF64(dropped + 8, loadF64(dropped + 8) + (count - topK) * tie);
  storeF64(space + TIE, tie);
  shareTies(work, classes, space, topK, float32);
  return topK;
}

/** Stores the number of entries of each row. Requires walk with `minValue`. */
function storeRowCounts(
  work: usize,
  classes: usize,
  space: usize,
  minValue: f64,
  float32: bool,
): void {
  for (let k: usize = 0; k < classes; k++)
    storeI32(
      rowCountAt(space, classes, k),
      rowCount(work, classes, space, k, minValue, float32),
    );
}

function rowCount(
  work: usize,
  classes: usize,
  space: usize,
  k: usize,
  minValue: f64,
  float32: bool,
): i32 {
  const t = loadF64(work + TEMPERATURE);
  const log = loadF64(space + LOG_SOFTMAX_BLOCK) !== 0.0;
  const s = loadI32(placeAt(space, classes, k));
  const end = loadI32(endAt(space, classes, s as usize));
  const entries = s < end ? end - 1 : end;
  return isKept(ownEntry(work, classes, k, t, log), minValue, float32)
    ? entries + 1
    : entries;
}

/**
 * Decides which ties are kept, the first ones, so that `topK` entries remain: rows before TIE_ROW keep all of theirs, row
 * TIE_ROW keeps the first TIES_LEFT, and later rows keep none.
 */
function shareTies(
  work: usize,
  classes: usize,
  space: usize,
  topK: f64,
  float32: bool,
): void {
  storeF64(space + ABOVE_TIE, loadF64(space + TIE));
  // The next larger float64.
  const low = loadI32(space + ABOVE_TIE) + 1;
  storeI32(space + ABOVE_TIE, low);
  if (low === 0)
    storeI32(space + ABOVE_TIE + 4, loadI32(space + ABOVE_TIE + 4) + 1);
  const above = loadF64(space + ABOVE_TIE);
  let left = topK - walk(work, classes, space, above, float32);
  let k: usize = 0;
  for (; k < classes; k++) {
    const larger = rowCount(work, classes, space, k, above, float32);
    const equal = (loadI32(rowCountAt(space, classes, k)) - larger) as f64;
    if (equal >= left) break;
    left -= equal;
  }
  storeI32(space + TIE_ROW, k as i32);
  storeF64(space + TIES_LEFT, left);
  for (k = k + 1; k < classes; k++)
    storeI32(
      rowCountAt(space, classes, k),
      rowCount(work, classes, space, k, above, float32),
    );
}

function isKept(value: f64, minValue: f64, float32: bool): bool {
  return stored(value, float32) >= minValue;
}

/**
 * Stores the entries of rows [iStart, iEnd) that countEntries has counted, in order of i, then j: values, and as int32
 * either i and j, or (if `columns` is 0) i·Q + j to `indices`. Tiles must come in order, each once. Returns the number of
 * entries.
 */
export function storeEntries(
  work: usize,
  classes: usize,
  space: usize,
  iStart: usize,
  iEnd: usize,
  indices: usize,
  columns: usize,
  values: usize,
  float32: bool,
): i32 {
  const tie = loadF64(space + TIE);
  if (tie === 0.0)
    return storeRows(
      work,
      classes,
      space,
      iStart,
      iEnd,
      loadF64(space + LEAST),
      indices,
      columns,
      values,
      float32,
    );
  const tieRow = loadI32(space + TIE_ROW) as usize;
  let count: i32 = 0;
  let i = iStart;
  while (i < iEnd) {
    // Up to TIE_ROW, that row alone, and the rows after it.
    const minValue = i > tieRow ? loadF64(space + ABOVE_TIE) : tie;
    let end = i < tieRow ? tieRow : i === tieRow ? i + 1 : iEnd;
    if (end > iEnd) end = iEnd;
    walk(work, classes, space, minValue, float32);
    const at = count as usize;
    const toColumns: usize = columns === 0 ? 0 : columns + 4 * at;
    const toValues = values + (float32 ? 4 * at : 8 * at);
    let stored = storeRows(
      work,
      classes,
      space,
      i,
      end,
      minValue,
      indices + 4 * at,
      toColumns,
      toValues,
      float32,
    );
    if (i === tieRow)
      stored = dropTies(
        space,
        indices + 4 * at,
        toColumns,
        toValues,
        stored,
        float32,
      );
    count = count + stored;
    i = end;
  }
  return count;
}

/** Stores the entries of at least `minValue` of rows [iStart, iEnd). Requires walk with `minValue`. */
function storeRows(
  work: usize,
  classes: usize,
  space: usize,
  iStart: usize,
  iEnd: usize,
  minValue: f64,
  indices: usize,
  columns: usize,
  values: usize,
  float32: bool,
): i32 {
  let count: i32 = 0;
  for (let i = iStart; i < iEnd; i++) {
    storeI32(nextAt(space, classes, i), count);
    count = count + loadI32(rowCountAt(space, classes, i));
  }
  // The rows of the tile, from the largest p on.
  let tile: usize = 0;
  for (let s: usize = 0; s < classes; s++) {
    const k = loadI32(classAt(space, classes, s)) as usize;
    if (k < iStart || k >= iEnd) continue;
    if (loadI32(rowCountAt(space, classes, k)) === 0) continue;
    storeI32(tileAt(space, classes, tile), k as i32);
    tile = tile + 1;
  }
  let size: usize = 0;
  for (let n = tile; n > 0; n--) {
    const i = loadI32(tileAt(space, classes, n - 1)) as usize;
    const s = loadI32(placeAt(space, classes, i)) as usize;
    const end = loadI32(endAt(space, classes, s)) as usize;
    if (end > size) addClasses(classes, space, size, end);
    size = end;
    storeRow(
      work,
      classes,
      space,
      i,
      size,
      minValue,
      indices,
      columns,
      values,
      float32,
    );
  }
  return count;
}

/** Stores the entries of row i: those of the `size` kept classes (kept-classes.ts), and the diagonal one if it is kept. */
function storeRow(
  work: usize,
  classes: usize,
  space: usize,
  i: usize,
  size: usize,
  minValue: f64,
  indices: usize,
  columns: usize,
  values: usize,
  float32: bool,
): void {
  const t = loadF64(work + TEMPERATURE);
  const log = loadF64(space + LOG_SOFTMAX_BLOCK) !== 0.0;
  const keptClasses = keptClassAt(space, classes, 0);
  const before = classesBefore(classes, space, size, i);
  let at = loadI32(nextAt(space, classes, i)) as usize;
  storeIndices(classes, i, keptClasses, 0, before, at, indices, columns);
  storeKept(work, classes, space, i, 0, before, values, at, float32);
  at = at + before;
  const diagonal = ownEntry(work, classes, i, t, log);
  if (isKept(diagonal, minValue, float32)) {
    if (columns === 0) storeI32(indices + 4 * at, (i * classes + i) as i32);
    else {
      storeI32(indices + 4 * at, i as i32);
      storeI32(columns + 4 * at, i as i32);
    }
    storeValue(values, at, diagonal, float32);
    at = at + 1;
  }
  let after = before;
  if (after < size && loadI32(keptClasses + 4 * after) === (i as i32))
    after = after + 1;
  storeIndices(classes, i, keptClasses, after, size, at, indices, columns);
  storeKept(work, classes, space, i, after, size, values, at, float32);
}

/** Stores i·Q + j, or i and j, for the kept classes j with index [from, to), from entry `at` on. */
function storeIndices(
  classes: usize,
  i: usize,
  keptClasses: usize,
  from: usize,
  to: usize,
  at: usize,
  indices: usize,
  columns: usize,
): void {
  const first = keptClasses + 4 * from;
  const count = to - from;
  if (columns === 0) {
    addI32(indices + 4 * at, first, (i * classes) as i32, count);
    return;
  }
  fillI32(indices + 4 * at, i as i32, count);
  addI32(columns + 4 * at, first, 0, count);
}

/** Stores the entries (i, j) of the kept classes j with index [from, to), from entry `at` on. */
function storeKept(
  work: usize,
  classes: usize,
  space: usize,
  i: usize,
  from: usize,
  to: usize,
  values: usize,
  at: usize,
  float32: bool,
): void {
  const out = values + (float32 ? 4 : 8) * at;
  const first = keptClassAt(space, classes, from);
  if (loadF64(space + LOG_SOFTMAX_BLOCK) !== 0.0) {
    const entry = over(0.0 - pAt(work, i), loadF64(work + TEMPERATURE));
    for (let n = from; n < to; n++) storeValue(out, n - from, entry, float32);
  } else if (
    to > from &&
    loadI32(first) + ((to - from - 1) as i32) ===
      loadI32(keptClassAt(space, classes, to - 1))
  ) {
    // Consecutive classes, as in a block without small entries.
    const j = loadI32(first) as usize;
    storeRowEntries(work, classes, i, j, j + to - from, out, float32);
  } else
    for (let n = from; n < to; n++)
      storeValue(
        out,
        n - from,
        0.0 -
          productAt(work, classes, i, loadI32(first + 4 * (n - from)) as usize),
        float32,
      );
}

/** Removes all but the first TIES_LEFT ties of a row. Returns the number of entries that remain. */
function dropTies(
  space: usize,
  indices: usize,
  columns: usize,
  values: usize,
  count: i32,
  float32: bool,
): i32 {
  const width: usize = float32 ? 4 : 8;
  const tie = loadF64(space + TIE);
  let left = loadF64(space + TIES_LEFT);
  let remaining: usize = 0;
  for (let n: usize = 0; n < (count as usize); n++) {
    const value = float32
      ? loadF32(values + n * width)
      : loadF64(values + n * width);
    if (Math.abs(value) === tie) {
      if (left === 0.0) continue;
      left -= 1.0;
    }
    storeI32(indices + 4 * remaining, loadI32(indices + 4 * n));
    if (columns !== 0)
      storeI32(columns + 4 * remaining, loadI32(columns + 4 * n));
    storeValue(values, remaining, value, float32);
    remaining = remaining + 1;
  }
  return remaining as i32;
}
