// What the module exports: the Kernel interface of src/kernels/kernel.ts on raw addresses. No allocation, no globals:
// every instance shares one memory, and each call touches only what its arguments name.
import { JACOBIAN, needsLog, PACKED, PRODUCT, SOFTMAX } from "../portable/codes.js";
import { storeLog } from "../portable/log.js";
import { fillI32 } from "../portable/machine.js";
import {
  ENTRY_BYTES, entryBytes, entryCode, entryFloat32, entryInput, entryOut, entryParam,
} from "../portable/program.js";
import { storePortableResult } from "../portable/results.js";
import { HEADER, secondArea } from "../portable/work.js";
import { storeTile32, storeTile64, storeTriangle } from "./jacobian";
import { isQuick, storeQuickRow } from "./quick";
import { clearRow, prepare, setTemperature, softmaxPair } from "./softmax";

export { prepare };
export { countEntries, storeEntries } from "../portable/sparse.js";

/** Softmax of one row into its work area. Returns 1, or 0 for a bad row, whose work area is cleared. */
export function loadRow(source: usize, float32: bool, classes: usize, temperature: f64, work: usize): i32 {
  setTemperature(work, classes, temperature);
  if (softmaxPair(source, source, float32, classes, work, true) & 1) {
    storeLog(work);
    return 1;
  }
  clearRow(classes, work);
  return 0;
}

/** One result of the row in the work area, of a block rows [iStart, iEnd). Returns 0 for an input that cannot be. */
export function storeResult(
  code: i32, work: usize, classes: usize, iStart: usize, iEnd: usize, input: usize, param: i32, out: usize, float32: bool,
): i32 {
  if (code == SOFTMAX) {
    storeValues(work + HEADER, classes, out, float32);
    return 1;
  }
  if (code == JACOBIAN) {
    if (float32) storeTile32(work, classes, iStart, iEnd, out);
    else storeTile64(work, classes, iStart, iEnd, out);
    return 1;
  }
  if (code == PACKED) {
    storeTriangle(work, classes, iStart, iEnd, out, float32);
    return 1;
  }
  return storePortableResult(code, work, classes, iStart, iEnd, input, param, out, float32) ? 1 : 0;
}

/** `count` values of float64 as they are, or rounded once to float32. */
function storeValues(from: usize, count: usize, out: usize, float32: bool): void {
  const even = count & ~1;
  if (float32) {
    for (let k: usize = 0; k < even; k += 2)
      v128.store64_lane(out + (k << 2), f32x4.demote_f64x2_zero(v128.load(from + (k << 3))), 0);
    if (even != count) store<f32>(out + (even << 2), <f32>load<f64>(from + (even << 3)));
  } else {
    for (let k: usize = 0; k < even; k += 2) v128.store(out + (k << 3), v128.load(from + (k << 3)));
    if (even != count) store<f64>(out + (even << 3), load<f64>(from + (even << 3)));
  }
}

/**
 * A stride: the `results` entries of `program` (src/kernels/portable/program.ts) for `rows` consecutive rows; zeros for
 * bad rows, whose numbers go to `badRows` as i32. Returns how many there are.
 */
export function storeRows(
  source: usize, sourceFloat32: bool, rows: usize, classes: usize, temperature: f64, work: usize,
  program: usize, results: usize, badRows: usize,
): i32 {
  setTemperature(work, classes, temperature);
  const sourceBytes = classes << (sourceFloat32 ? 2 : 3);
  const end = program + results * ENTRY_BYTES;
  let log = false;
  let whole = false;
  for (let entry = program; entry < end; entry += ENTRY_BYTES) {
    const code = entryCode(entry);
    log = log || needsLog(code);
    whole = whole || (code != SOFTMAX && code != JACOBIAN && code != PACKED && code != PRODUCT);
  }
  const other = secondArea(work, classes);
  let bad: usize = 0;
  let r: usize = 0;
  let unsure: usize = 0;
  if (isQuick(program, end, classes, temperature)) {
    // as long as most rows are sure: the careful way costs less without trying first
    for (; r < rows && (unsure << 2) < r + 32; r++) {
      const row = source + r * sourceBytes;
      if (storeQuickRow(row, sourceFloat32, classes, work, program, end, r)) continue;
      unsure++;
      const good = softmaxPair(row, row, sourceFloat32, classes, work, whole);
      if (!storeRow(program, end, r, work, classes, log, (good & 1) != 0)) store<i32>(badRows + (bad++ << 2), <i32>r);
    }
  }
  for (; r < rows; r += 2) {
    const first = source + r * sourceBytes;
    const pair = r + 1 < rows;
    const good = softmaxPair(first, pair ? first + sourceBytes : first, sourceFloat32, classes, work, whole);
    if (!storeRow(program, end, r, work, classes, log, (good & 1) != 0)) store<i32>(badRows + (bad++ << 2), <i32>r);
    if (pair && !storeRow(program, end, r + 1, other, classes, log, (good & 2) != 0)) {
      store<i32>(badRows + (bad++ << 2), <i32>r + 1);
    }
  }
  return <i32>bad;
}

/** Every result of row r, whose softmax stands at `work`; zeros and false where it is bad or an input is. */
function storeRow(program: usize, end: usize, r: usize, work: usize, classes: usize, log: bool, good: bool): bool {
  if (good && log) storeLog(work);
  for (let entry = program; good && entry < end; entry += ENTRY_BYTES) {
    good = storeResult(
      entryCode(entry), work, classes, 0, classes, entryInput(entry, r), entryParam(entry), entryOut(entry, r),
      entryFloat32(entry),
    ) != 0;
  }
  if (good) return true;
  for (let entry = program; entry < end; entry += ENTRY_BYTES) memory.fill(entryOut(entry, r), 0, entryBytes(entry));
  return false;
}

/** `count` values of float32 to float64. */
export function widen(source: usize, count: usize, out: usize): void {
  const even = count & ~1;
  for (let k: usize = 0; k < even; k += 2)
    v128.store(out + (k << 3), f64x2.promote_low_f32x4(v128.load64_zero(source + (k << 2))));
  if (even != count) store<f64>(out + (even << 3), <f64>load<f32>(source + (even << 2)));
}

/** `classes` columns of `rows` values each, one after the other at `columns`, to row-major at `out`; bytes = 1, 2, 4 or 8. */
export function interleave(columns: usize, rows: usize, classes: usize, bytes: usize, out: usize): void {
  for (let r: usize = 0; r < rows; r++) {
    for (let k: usize = 0; k < classes; k++) {
      const from = columns + (k * rows + r) * bytes;
      const to = out + (r * classes + k) * bytes;
      if (bytes == 4) store<i32>(to, load<i32>(from));
      else if (bytes == 8) store<i64>(to, load<i64>(from));
      else if (bytes == 2) store<i16>(to, load<i16>(from));
      else store<i8>(to, load<i8>(from));
    }
  }
}

/** The value at `from`, of 4 or 8 bytes, `count` times. */
export function repeat(out: usize, from: usize, bytes: usize, count: usize): void {
  if (bytes == 4) {
    fillI32(out, load<i32>(from), count);
    return;
  }
  const value = load<i64>(from);
  const two = i64x2.splat(value);
  const even = count & ~1;
  for (let k: usize = 0; k < even; k += 2) v128.store(out + (k << 3), two);
  if (even != count) store<i64>(out + (even << 3), value);
}

/** Row numbers first, first + 1, … as int64. */
export function storeRowNumbers(first: f64, rows: usize, out: usize): void {
  const start = <i64>first;
  for (let r: usize = 0; r < rows; r++) store<i64>(out + (r << 3), start + <i64>r);
}
