// Exports of the module: the interface Kernel of src/kernels/kernel.ts. There are no allocations and no globals: all
// instances share one memory, and a call accesses only the memory that its arguments refer to.
import { JACOBIAN, needsLog, needsPairs, PACKED, PRODUCT, SOFTMAX } from "../portable/codes.js";
import { storeLog } from "../portable/log.js";
import { fillI32 } from "../portable/machine.js";
import {
  ENTRY_BYTES, entryBytes, entryCode, entryFloat32, entryInput, entryOut, entryParam,
} from "../portable/program.js";
import { storePortableResult } from "../portable/results.js";
import { HEADER, secondArea } from "../portable/work.js";
import { storeTile } from "./jacobian";
import { isQuick, storeQuickRow } from "./quick";
import { clearRow, prepare, setTemperature, softmaxPair } from "./softmax";

export { prepare };
export { countEntries, storeEntries } from "../portable/sparse.js";

export function loadRow(source: usize, float32: bool, classes: usize, temperature: f64, work: usize): i32 {
  setTemperature(work, classes, temperature);
  if (softmaxPair(source, source, float32, classes, work, true, true) & 1) {
    storeLog(work);
    return 1;
  }
  clearRow(classes, work);
  return 0;
}

export function storeResult(
  code: i32, work: usize, classes: usize, iStart: usize, iEnd: usize, input: usize, param: i32, out: usize, float32: bool,
): i32 {
  if (code == SOFTMAX) {
    storeValues(work + HEADER, classes, out, float32);
    return 1;
  }
  if (code == JACOBIAN) {
    storeTile(work, classes, iStart, iEnd, out, float32);
    return 1;
  }
  return storePortableResult(code, work, classes, iStart, iEnd, input, param, out, float32) ? 1 : 0;
}

/** Copies `count` float64 values, or rounds them once to float32. */
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

export function storeRows(
  source: usize, sourceFloat32: bool, rows: usize, classes: usize, temperature: f64, work: usize,
  program: usize, results: usize, badRows: usize,
): i32 {
  setTemperature(work, classes, temperature);
  const sourceBytes = classes << (sourceFloat32 ? 2 : 3);
  const end = program + results * ENTRY_BYTES;
  let log = false;
  let pairs = false;
  let whole = false;
  for (let entry = program; entry < end; entry += ENTRY_BYTES) {
    const code = entryCode(entry);
    log = log || needsLog(code);
    pairs = pairs || needsPairs(code);
    whole = whole || (code != SOFTMAX && code != JACOBIAN && code != PACKED && code != PRODUCT);
  }
  const other = secondArea(work, classes);
  let bad: usize = 0;
  let r: usize = 0;
  let unsure: usize = 0;
  if (isQuick(program, end, classes, temperature)) {
    // Stop once about a quarter of the rows are unsure: the exact way alone is faster then.
    for (; r < rows && (unsure << 2) < r + 32; r++) {
      const row = source + r * sourceBytes;
      if (storeQuickRow(row, sourceFloat32, classes, work, program, end, r)) continue;
      unsure++;
      const good = softmaxPair(row, row, sourceFloat32, classes, work, pairs, whole);
      if (!storeRow(program, end, r, work, classes, log, (good & 1) != 0)) store<i32>(badRows + (bad++ << 2), <i32>r);
    }
  }
  for (; r < rows; r += 2) {
    const first = source + r * sourceBytes;
    const pair = r + 1 < rows;
    const good = softmaxPair(first, pair ? first + sourceBytes : first, sourceFloat32, classes, work, pairs, whole);
    if (!storeRow(program, end, r, work, classes, log, (good & 1) != 0)) store<i32>(badRows + (bad++ << 2), <i32>r);
    if (pair && !storeRow(program, end, r + 1, other, classes, log, (good & 2) != 0)) {
      store<i32>(badRows + (bad++ << 2), <i32>r + 1);
    }
  }
  return <i32>bad;
}

/** Stores all results of row r from its softmax at `work`. Stores zeros and returns false if the row is bad. */
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

export function widen(source: usize, count: usize, out: usize): void {
  const even = count & ~1;
  for (let k: usize = 0; k < even; k += 2)
    v128.store(out + (k << 3), f64x2.promote_low_f32x4(v128.load64_zero(source + (k << 2))));
  if (even != count) store<f64>(out + (even << 3), <f64>load<f32>(source + (even << 2)));
}

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

export function storeRowNumbers(first: f64, rows: usize, out: usize): void {
  const start = <i64>first;
  for (let r: usize = 0; r < rows; r++) store<i64>(out + (r << 3), start + <i64>r);
}
