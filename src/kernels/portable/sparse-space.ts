import { factorAt, factorRestAt } from "./entries.js";
import { loadF64, loadI32, storeF64, storeI32 } from "./machine.js";
import { errorOfSum, pAt } from "./work.js";

// Work space that countEntries fills and storeEntries reads. Q = classes; a place is an index into the sorted factors of the
// entries, which are P (work.ts), or p for the block of log-softmax.
//   0     least |value| that is kept      f64        24  1 for the block of log-softmax          f64
//   8     value of ties, or 0             f64        32  next larger float64                     f64
//   16    number of ties kept in TIE_ROW  f64        40  TIE_ROW: row with only some ties kept   i32
// From 64:
//   0     factors, from large to small    f64[Q]     28Q+16  place of each class                 i32[Q]
//   8Q    Σ from each place on, high      f64[Q+1]   32Q+16  end of the places kept with each    i32[Q]
//   16Q+8   Σ from each place on, low     f64[Q+1]   36Q+16  number of entries of each row       i32[Q]
//   24Q+16  class of each place           i32[Q]     40Q+16  index of each row's first entry     i32[Q]
//                                                    44Q+16  rows of a tile, by place            i32[Q]
// storeEntries does not need the sums; kept-classes.ts uses their memory:
//   16Q+8   kept classes of a row         i32[Q]     20Q+8   classes to be added                 i32[Q]

export const LEAST: usize = 0;
export const TIE: usize = 8;
export const TIES_LEFT: usize = 16;
export const LOG_SOFTMAX_BLOCK: usize = 24;
export const ABOVE_TIE: usize = 32;
export const TIE_ROW: usize = 40;
const FIRST: usize = 64;

export function sparseSpaceBytes(classes: usize): usize {
  return FIRST + 48 * classes + 16;
}

export function sortedAt(space: usize, s: usize): f64 {
  return loadF64(space + FIRST + 8 * s);
}
export function restAt(space: usize, classes: usize, s: usize): usize {
  return space + FIRST + 8 * classes + 8 * s;
}
export function classAt(space: usize, classes: usize, s: usize): usize {
  return space + FIRST + 24 * classes + 16 + 4 * s;
}
export function placeAt(space: usize, classes: usize, k: usize): usize {
  return space + FIRST + 28 * classes + 16 + 4 * k;
}
export function endAt(space: usize, classes: usize, s: usize): usize {
  return space + FIRST + 32 * classes + 16 + 4 * s;
}
/** int32[Q]: number of entries of row k; for row TIE_ROW, ties that are dropped are included. */
export function rowCountAt(space: usize, classes: usize, k: usize): usize {
  return space + FIRST + 36 * classes + 16 + 4 * k;
}
export function nextAt(space: usize, classes: usize, k: usize): usize {
  return space + FIRST + 40 * classes + 16 + 4 * k;
}
export function keptClassAt(space: usize, classes: usize, n: usize): usize {
  return space + FIRST + 16 * classes + 8 + 4 * n;
}
export function newClassAt(space: usize, classes: usize, n: usize): usize {
  return space + FIRST + 20 * classes + 8 + 4 * n;
}
export function tileAt(space: usize, classes: usize, n: usize): usize {
  return space + FIRST + 44 * classes + 16 + 4 * n;
}

/** Returns whether class k has a larger factor than class j, of equal rounded factors; equal ones stay in class order. */
function isLarger(work: usize, classes: usize, k: i32, j: i32): bool {
  return (
    factorRestAt(work, classes, k as usize) >
    factorRestAt(work, classes, j as usize)
  );
}

/** Sorts places [start, end) by insertion, from large to small. */
function insertionSort(
  work: usize,
  space: usize,
  classes: usize,
  start: usize,
  end: usize,
): void {
  for (let s = start + 1; s < end; s++) {
    const p = sortedAt(space, s);
    const k = loadI32(classAt(space, classes, s));
    let at = s;
    while (at > start) {
      const other = sortedAt(space, at - 1);
      if (other > p) break;
      const otherClass = loadI32(classAt(space, classes, at - 1));
      if (other === p && !isLarger(work, classes, k, otherClass)) break;
      storeF64(space + FIRST + 8 * at, other);
      storeI32(classAt(space, classes, at), otherClass);
      at = at - 1;
    }
    storeF64(space + FIRST + 8 * at, p);
    storeI32(classAt(space, classes, at), k);
  }
}

/** Merges the sorted runs [start, middle) and [middle, end) of one pair of arrays into another; stable. */
function mergeRuns(
  work: usize,
  classes: usize,
  fromP: usize,
  fromClass: usize,
  toP: usize,
  toClass: usize,
  start: usize,
  middle: usize,
  end: usize,
): void {
  let a = start;
  let b = middle;
  let n = start;
  // Which is larger is unpredictable, so the code avoids a branch; equal ones are rare, or zeros.
  for (; a < middle && b < end; n++) {
    const x = loadF64(fromP + 8 * a);
    const y = loadF64(fromP + 8 * b);
    let second: usize = y > x ? 1 : 0;
    if (
      x === y &&
      x !== 0.0 &&
      isLarger(
        work,
        classes,
        loadI32(fromClass + 4 * b),
        loadI32(fromClass + 4 * a),
      )
    )
      second = 1;
    const taken = a + (b - a) * second;
    storeF64(toP + 8 * n, loadF64(fromP + 8 * taken));
    storeI32(toClass + 4 * n, loadI32(fromClass + 4 * taken));
    b = b + second;
    a = a + 1 - second;
  }
  const rest = a < middle ? a : b;
  for (let k: usize = 0; n + k < end; k++) {
    storeF64(toP + 8 * (n + k), loadF64(fromP + 8 * (rest + k)));
    storeI32(toClass + 4 * (n + k), loadI32(fromClass + 4 * (rest + k)));
  }
}

/** Length of the runs that are sorted by insertion. */
const RUN: usize = 8;

/** Sorts all places by merging runs; the memory of the sums and of nextAt is the second buffer. */
function sortPlaces(work: usize, space: usize, classes: usize): void {
  for (let start: usize = 0; start < classes; start += RUN)
    insertionSort(
      work,
      space,
      classes,
      start,
      start + RUN < classes ? start + RUN : classes,
    );
  let p = space + FIRST;
  let k = classAt(space, classes, 0);
  let otherP = restAt(space, classes, 0);
  let otherK = nextAt(space, classes, 0);
  for (let width = RUN; width < classes; width = width + width) {
    for (let start: usize = 0; start < classes; start += width + width) {
      const middle = start + width < classes ? start + width : classes;
      const end =
        start + width + width < classes ? start + width + width : classes;
      mergeRuns(work, classes, p, k, otherP, otherK, start, middle, end);
    }
    const sortedP = otherP;
    const sortedK = otherK;
    otherP = p;
    otherK = k;
    p = sortedP;
    k = sortedK;
  }
  if (p === space + FIRST) return;
  for (let s: usize = 0; s < classes; s++) {
    storeF64(space + FIRST + 8 * s, loadF64(p + 8 * s));
    storeI32(classAt(space, classes, s), loadI32(k + 4 * s));
  }
}

/** Sorts the factors, and stores their sums from the small end in two doubles. */
export function prepareSpace(
  work: usize,
  classes: usize,
  space: usize,
  log: bool,
): void {
  for (let k: usize = 0; k < classes; k++) {
    storeF64(
      space + FIRST + 8 * k,
      log ? pAt(work, k) : factorAt(work, classes, k),
    );
    storeI32(classAt(space, classes, k), k as i32);
  }
  sortPlaces(work, space, classes);
  for (let s: usize = 0; s < classes; s++)
    storeI32(
      placeAt(space, classes, loadI32(classAt(space, classes, s)) as usize),
      s as i32,
    );
  const lows: usize = 8 * classes + 8;
  storeF64(restAt(space, classes, classes), 0.0);
  storeF64(restAt(space, classes, classes) + lows, 0.0);
  for (let s = classes; s > 0; s--) {
    const at = restAt(space, classes, s);
    const high = loadF64(at);
    const p = sortedAt(space, s - 1);
    const sum = high + p;
    storeF64(at - 8, sum);
    storeF64(at - 8 + lows, loadF64(at + lows) + errorOfSum(high, p, sum));
  }
}
