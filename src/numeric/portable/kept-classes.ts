import { loadF64, loadI32, storeF64, storeI32 } from "./machine.js";
import { classAt, keptClassAt, keptPAt, newClassAt } from "./sparse-space.js";
import { pAt } from "./work.js";

// The classes that are kept with a row of the block, in order of their numbers, with their p. What is kept with a small p
// is kept with a larger one, and more: from the smallest p of a tile on, each row adds to what the one before it had. A
// row's merge takes no longer than its own entries do, and the sorting of all that comes Q log Q.

/** Adds the classes of places [size, end) to those of places [0, size), which are there. */
export function addClasses(
  work: usize,
  classes: usize,
  space: usize,
  size: usize,
  end: usize,
): void {
  for (let s = size; s < end; s++)
    storeI32(
      newClassAt(space, classes, s - size),
      loadI32(classAt(space, classes, s)),
    );
  let added = end - size;
  sortNew(newClassAt(space, classes, 0), added);
  // From the last on: who moves makes room.
  let old = size;
  for (let n = end; added > 0; n--) {
    const k = loadI32(newClassAt(space, classes, added - 1));
    const other = old > 0 ? loadI32(keptClassAt(space, classes, old - 1)) : -1;
    if (other > k) {
      storeI32(keptClassAt(space, classes, n - 1), other);
      storeF64(
        keptPAt(space, classes, n - 1),
        loadF64(keptPAt(space, classes, old - 1)),
      );
      old = old - 1;
    } else {
      storeI32(keptClassAt(space, classes, n - 1), k);
      storeF64(keptPAt(space, classes, n - 1), pAt(work, k as usize));
      added = added - 1;
    }
  }
}

/** How many of the `size` classes come before class i. */
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

/** Sorts `count` int32: a heap, of which the largest goes last. */
function sortNew(numbers: usize, count: usize): void {
  for (let n = count >>> 1; n > 0; n--) sink(numbers, n - 1, count);
  for (let end = count; end > 1; end--) {
    const largest = loadI32(numbers);
    storeI32(numbers, loadI32(numbers + 4 * (end - 1)));
    storeI32(numbers + 4 * (end - 1), largest);
    sink(numbers, 0, end - 1);
  }
}

/** Lets the number at `at` sink under those that are larger, in the heap [0, end). */
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
