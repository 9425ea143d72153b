// What the module exports: the Kernel interface of src/numeric/kernel.ts on raw addresses. No allocation, no globals:
// every instance shares one memory, and each call touches only what its arguments name.
import { storeTile32, storeTile64 } from "./jacobian";
import { clearRow, prepareWork, softmaxRow, WORK_HEADER } from "./softmax";

export { storeTile32, storeTile64 };

/** Softmax of one row into its work area. Returns 1, or 0 for a bad row, whose work area is cleared. */
export function loadRow(source: usize, float32: bool, classes: usize, work: usize): i32 {
  prepareWork(work);
  return loadNextRow(source, float32, classes, work);
}

function loadNextRow(source: usize, float32: bool, classes: usize, work: usize): i32 {
  if (softmaxRow(source, float32, classes, work)) return 1;
  clearRow(classes, work);
  return 0;
}

/** p of the work area to `out`. */
export function storeSoftmax64(work: usize, classes: usize, out: usize): void {
  memory.copy(out, work + WORK_HEADER, classes << 3);
}

export function storeSoftmax32(work: usize, classes: usize, out: usize): void {
  for (let k: usize = 0; k < classes; k++) store<f32>(out + (k << 2), <f32>load<f64>(work + WORK_HEADER + (k << 3)));
}

/**
 * A stride: softmax and whole blocks of `rows` consecutive rows; jacobianOut 0 leaves the blocks out.
 * The numbers of the bad rows go to `badRows` as i32; returns how many there are.
 */
export function storeBlocks(
  source: usize, sourceFloat32: bool, rows: usize, classes: usize, work: usize,
  softmaxOut: usize, jacobianOut: usize, outFloat32: bool, badRows: usize,
): i32 {
  const sourceBytes = classes << (sourceFloat32 ? 2 : 3);
  const softmaxBytes = classes << (outFloat32 ? 2 : 3);
  const blocks = jacobianOut != 0;
  let bad: usize = 0;
  prepareWork(work);
  for (let r: usize = 0; r < rows; r++) {
    if (!loadNextRow(source, sourceFloat32, classes, work)) store<i32>(badRows + (bad++ << 2), <i32>r);
    if (outFloat32) {
      storeSoftmax32(work, classes, softmaxOut);
      if (blocks) storeTile32(work, classes, 0, classes, jacobianOut);
    } else {
      storeSoftmax64(work, classes, softmaxOut);
      if (blocks) storeTile64(work, classes, 0, classes, jacobianOut);
    }
    source += sourceBytes;
    softmaxOut += softmaxBytes;
    jacobianOut += softmaxBytes * classes;
  }
  return <i32>bad;
}

/** `classes` columns of `rows` values each, one after the other at `columns`, to row-major at `out`; bytes = 4 or 8. */
export function interleave(columns: usize, rows: usize, classes: usize, bytes: usize, out: usize): void {
  for (let r: usize = 0; r < rows; r++) {
    for (let k: usize = 0; k < classes; k++) {
      const from = columns + (k * rows + r) * bytes;
      const to = out + (r * classes + k) * bytes;
      if (bytes == 4) store<i32>(to, load<i32>(from));
      else store<i64>(to, load<i64>(from));
    }
  }
}

/** Row numbers first, first + 1, … as int64. */
export function storeRowNumbers(first: f64, rows: usize, out: usize): void {
  const start = <i64>first;
  for (let r: usize = 0; r < rows; r++) store<i64>(out + (r << 3), start + <i64>r);
}
