import { loadF64, loadI32, storeF64, storeI32 } from "./machine.js";
import { errorOfSum, pAt } from "./work.js";

// The space to work in, Q classes; what countEntries leaves here is what storeEntries reads:
//   0     least |value| that is kept   f64        24   places kept as whole rows (log-softmax)   f64
//   8     the value of ties, or 0      f64        32   1: the block is that of log-softmax       f64
//   16    ties that may still be kept  f64
// and from 64:
//   0     p, sorted                    f64[Q]     16Q+16  rest, low                              f64[Q+1]
//   8Q    rest: Σ of p from here on,   f64[Q+1]   24Q+16  class of each place                    i32[Q]
//         high, then low                          28Q+16  place of each class                    i32[Q]
//                                                 32Q+16  places kept with each place            i32[Q]
//                                                 36Q+16  entries of each class's row            i32[Q]
//                                                 40Q+16  where a class's next entry goes        i32[Q]
//                                                 44Q+16  classes of a tile, by place            i32[Q]

export const LEAST: usize = 0;
export const TIE: usize = 8;
export const ROOM: usize = 16;
export const WHOLE: usize = 24;
export const LOG_SOFTMAX_BLOCK: usize = 32;
const FIRST: usize = 64;

/** Bytes of the space that countEntries and storeEntries work in. */
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
/** int32[Q]: how many entries the row of each class has, ties not yet taken off. */
export function rowCountAt(space: usize, classes: usize, k: usize): usize {
  return space + FIRST + 36 * classes + 16 + 4 * k;
}
export function nextAt(space: usize, classes: usize, k: usize): usize {
  return space + FIRST + 40 * classes + 16 + 4 * k;
}
export function tileAt(space: usize, classes: usize, n: usize): usize {
  return space + FIRST + 44 * classes + 16 + 4 * n;
}

/** Whether place a's class comes before place b's: the larger p, then the lower class. */
function before(space: usize, classes: usize, a: usize, b: usize): bool {
  const x = sortedAt(space, a);
  const y = sortedAt(space, b);
  if (x !== y) return x > y;
  return (
    loadI32(classAt(space, classes, a)) < loadI32(classAt(space, classes, b))
  );
}

function swap(space: usize, classes: usize, a: usize, b: usize): void {
  const x = sortedAt(space, a);
  storeF64(space + FIRST + 8 * a, sortedAt(space, b));
  storeF64(space + FIRST + 8 * b, x);
  const k = loadI32(classAt(space, classes, a));
  storeI32(classAt(space, classes, a), loadI32(classAt(space, classes, b)));
  storeI32(classAt(space, classes, b), k);
}

/** Puts the element at `root` in its place in the heap of the first `count`, the last in order on top. */
function sift(space: usize, classes: usize, root: usize, count: usize): void {
  let at = root;
  for (;;) {
    let child: usize = at + at + 1;
    if (child >= count) return;
    if (child + 1 < count && before(space, classes, child, child + 1))
      child = child + 1;
    if (!before(space, classes, at, child)) return;
    swap(space, classes, at, child);
    at = child;
  }
}

/** Sorts p (heapsort: no worst case), and sums it from its small end, in two doubles. */
export function prepareSpace(work: usize, classes: usize, space: usize): void {
  for (let k: usize = 0; k < classes; k++) {
    storeF64(space + FIRST + 8 * k, pAt(work, k));
    storeI32(classAt(space, classes, k), k as i32);
  }
  for (let k = classes; k > 0; k--) sift(space, classes, k - 1, classes);
  for (let count = classes; count > 1; count--) {
    swap(space, classes, 0, count - 1);
    sift(space, classes, 0, count - 1);
  }
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
