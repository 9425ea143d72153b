import { loadI32, moveUpI32, storeI32 } from "./machine.js";
import { classAt, keptClassAt, newClassAt, placeAt } from "./sparse-space.js";

// The classes j of the kept entries (i, j) of a row, in ascending order. A row with a larger p has all classes
// of a row with a smaller p, and maybe more: from the smallest p of a tile on, each row adds classes to those of the previous
// one. A row moves at most as many values as it has entries; sorting and searching all added classes takes Q log Q steps.

/** If at least classes/MANY are added, collecting all classes is faster than sorting the added ones. */
const MANY: usize = 8;

/** Adds the classes of places [size, end) to the classes of places [0, size). */
export function addClasses(
  classes: usize,
  space: usize,
  size: usize,
  end: usize,
): void {
  let added = end - size;
  if (added * MANY >= classes) {
    collectClasses(classes, space, end);
    return;
  }
  for (let s = size; s < end; s++)
    storeI32(
      newClassAt(space, classes, s - size),
      loadI32(classAt(space, classes, s)),
    );
  sortNew(newClassAt(space, classes, 0), added);
  // Insert from the last one on; each moves the classes after it to their final position.
  let old = size;
  for (; added > 0; added = added - 1) {
    const k = loadI32(newClassAt(space, classes, added - 1));
    const at = classesBefore(classes, space, old, k as usize);
    moveUpI32(keptClassAt(space, classes, at), old - at, added);
    storeI32(keptClassAt(space, classes, at + added - 1), k);
    old = at;
  }
}

/** Stores the classes of places [0, end) anew. */
function collectClasses(classes: usize, space: usize, end: usize): void {
  let n: usize = 0;
  for (let k: usize = 0; k < classes; k++) {
    if (loadI32(placeAt(space, classes, k)) >= (end as i32)) continue;
    storeI32(keptClassAt(space, classes, n), k as i32);
    n = n + 1;
  }
}

/** Returns how many of the `size` classes are lower than class i. */
export function classesBefore(
  classes: usize,
  space: usize,
  size: usize,
  i: usize,
): usize {
  let low: usize = 0;
  let high = size;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (loadI32(keptClassAt(space, classes, middle)) < (i as i32))
      low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Sorts `count` int32 ascending: up to 8 by insertion, more by heapsort. */
function sortNew(numbers: usize, count: usize): void {
  if (count <= 8) {
    for (let n: usize = 1; n < count; n++) {
      const number = loadI32(numbers + 4 * n);
      let at = n;
      for (; at > 0 && loadI32(numbers + 4 * at - 4) > number; at--)
        storeI32(numbers + 4 * at, loadI32(numbers + 4 * at - 4));
      storeI32(numbers + 4 * at, number);
    }
    return;
  }
  for (let n = count >>> 1; n > 0; n--) sink(numbers, n - 1, count);
  for (let end = count; end > 1; end--) {
    const largest = loadI32(numbers);
    storeI32(numbers, loadI32(numbers + 4 * (end - 1)));
    storeI32(numbers + 4 * (end - 1), largest);
    sink(numbers, 0, end - 1);
  }
}

/** Restores the max-heap [0, end) by moving the number at `at` down. */
function sink(numbers: usize, at: usize, end: usize): void {
  const number = loadI32(numbers + 4 * at);
  for (let child = at + at + 1; child < end; child = at + at + 1) {
    if (
      child + 1 < end &&
      loadI32(numbers + 4 * (child + 1)) > loadI32(numbers + 4 * child)
    )
      child = child + 1;
    if (loadI32(numbers + 4 * child) <= number) break;
    storeI32(numbers + 4 * at, loadI32(numbers + 4 * child));
    at = child;
  }
  storeI32(numbers + 4 * at, number);
}
