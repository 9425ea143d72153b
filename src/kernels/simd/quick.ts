// float32 results at half the cost, by Ziv's rounding test: softmax is computed in plain float64, with a bound on its
// distance from the exact way (softmax.ts). If both ends of that range round to the same float32, the exact way gives it
// too. Otherwise (about one row in a hundred) the exact way computes the row. The results have the same bits either way,
// so the plain kernel has no such code.
//
// Error bound relative to e: o - m and its reduction by n·ln 2/128 contribute at most 3·|d|·2^-53 (|d| > 110 rounds to 0),
// the polynomial r^5/120 <= 2^-49, the products some 2^-53, the sum of MAX_CLASSES values 2^-41: together less than 2^-40.
import { PRODUCT, SOFTMAX } from "../portable/codes.js";
import {
  ENTRY_BYTES, entryCode, entryFloat32, entryInput, entryOut,
} from "../portable/program.js";
import { EXP_CONSTANTS, EXP_TABLE, HEADER, vectorAt } from "../portable/work.js";

@inline const MAX_CLASSES: usize = 4096;
@inline const BOUND: f64 = 1.8189894035458565e-12; // 2^-39
@inline const UP: f64 = 1.0 + BOUND;
@inline const DOWN: f64 = 1.0 - BOUND;
/** Minimum of o - m; smaller differences are replaced by it, because the results are 0 in float32. */
@inline const FLOOR: f64 = -700.0;
/** Maximum of inputs of products; with larger ones, e^-700 instead of a smaller e would make a difference. */
@inline const MAX_INPUT: f64 = 1.2676506002282294e30; // 2^100
@inline const UNDERFLOW: f64 = 1e-260;

/** Returns whether storeQuickRow supports all results of a program. */
export function isQuick(program: usize, end: usize, classes: usize, temperature: f64): bool {
  if (temperature != 1.0 || classes > MAX_CLASSES) return false;
  for (let entry = program; entry < end; entry += ENTRY_BYTES) {
    const code = entryCode(entry);
    if ((code != SOFTMAX && code != PRODUCT) || !entryFloat32(entry)) return false;
  }
  return true;
}

/** Stores the results of row r. Returns false if any of them is unsure, as in every bad row. */
export function storeQuickRow(
  source: usize, float32: bool, classes: usize, work: usize, program: usize, end: usize, r: usize,
): bool {
  const inverse = 1.0 / storeQuickExps(source, float32, classes, work);
  for (let entry = program; entry < end; entry += ENTRY_BYTES) {
    const out = entryOut(entry, r);
    const sure = entryCode(entry) == SOFTMAX
      ? storeQuickSoftmax(classes, work, inverse, out)
      : storeQuickProduct(classes, work, inverse, entryInput(entry, r), out);
    if (!sure) return false;
  }
  return true;
}

/** Loads two logits as f64x2; the last one of an odd number with -inf. */
@inline
function loadTwo(source: usize, float32: bool, k: usize, last: bool): v128 {
  if (last) {
    const o = float32 ? <f64>load<f32>(source + (k << 2)) : load<f64>(source + (k << 3));
    return f64x2.replace_lane(f64x2.splat(-Infinity), 0, o);
  }
  return float32
    ? f64x2.promote_low_f32x4(v128.load64_zero(source + (k << 2)))
    : v128.load(source + (k << 3));
}

/** Stores e_k = exp(o_k - m) at HEADER, padded with e^-700 to an even number. Returns their sum, NaN for every bad row. */
function storeQuickExps(source: usize, float32: bool, classes: usize, work: usize): f64 {
  const even = classes & ~1;
  const es = work + HEADER;
  const os = vectorAt(work, classes, 1);
  let m = f64x2.splat(-Infinity);
  for (let k: usize = 0; k < even; k += 2) {
    const o = loadTwo(source, float32, k, false);
    v128.store(os + (k << 3), o);
    m = f64x2.pmax(m, o);
  }
  if (even != classes) {
    const o = loadTwo(source, float32, even, true);
    v128.store(os + (even << 3), o);
    m = f64x2.pmax(m, o);
  }
  m = f64x2.pmax(m, v128.shuffle<f64>(m, m, 1, 0));

  const constants = work + EXP_CONSTANTS;
  const magic = v128.load64_splat(constants, 16);
  const perStep = v128.load64_splat(constants, 8);
  const step = f64x2.splat(0.0054152123481245725); // ln 2/128
  const floor = f64x2.splat(FLOOR);
  const c2 = v128.load64_splat(constants, 40);
  const c3 = v128.load64_splat(constants, 48);
  const c4 = v128.load64_splat(constants, 56);
  let sum = f64x2.splat(0.0);
  let rest = f64x2.splat(0.0);
  for (let k: usize = 0; k < classes; k += 2) {
    // A NaN remains NaN in d and r.
    const d = f64x2.pmax(f64x2.sub(v128.load(os + (k << 3)), m), floor);
    const shifted = f64x2.add(f64x2.mul(d, perStep), magic);
    const first = (<usize>(<i32>i64x2.extract_lane(shifted, 0) & 127)) << 4;
    const second = (<usize>(<i32>i64x2.extract_lane(shifted, 1) & 127)) << 4;
    const root = v128.load64_lane(work + second, v128.load64_zero(work + first, EXP_TABLE), 1, EXP_TABLE);
    const r = f64x2.sub(d, f64x2.mul(f64x2.sub(shifted, magic), step));
    rest = f64x2.add(rest, r);
    const r2 = f64x2.mul(r, r);
    const upper = f64x2.add(c2, f64x2.mul(r, c3));
    const p = f64x2.add(r, f64x2.mul(r2, f64x2.add(upper, f64x2.mul(r2, c4))));
    const h = f64x2.add(root, f64x2.mul(root, p));
    // Multiply by 2^(n >> 7) by adding to the exponent. This may turn a NaN into a number.
    const e = i64x2.add(h, i64x2.shl(i64x2.shr_u(shifted, 7), 52));
    v128.store(es + (k << 3), e);
    sum = f64x2.add(sum, e);
  }
  // Add 0, or NaN if any r is NaN.
  sum = f64x2.add(sum, f64x2.mul(rest, f64x2.splat(0.0)));
  return f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1);
}

function storeQuickSoftmax(classes: usize, work: usize, inverse: f64, out: usize): bool {
  const even = classes & ~1;
  const es = work + HEADER;
  const down = f64x2.splat(inverse * DOWN);
  const up = f64x2.splat(inverse * UP);
  let unsure = f64x2.splat(0.0);
  for (let k: usize = 0; k < even; k += 2) {
    const e = v128.load(es + (k << 3));
    const below = f32x4.demote_f64x2_zero(f64x2.mul(e, down));
    const above = f32x4.demote_f64x2_zero(f64x2.mul(e, up));
    unsure = v128.or(unsure, v128.xor(below, above));
    v128.store64_lane(out + (k << 2), below, 0);
  }
  if (even != classes) {
    const e = load<f64>(es + (even << 3));
    const below = <f32>(e * (inverse * DOWN));
    const above = <f32>(e * (inverse * UP));
    if (below != above) return false;
    store<f32>(out + (even << 2), below);
  }
  // Two NaNs have the same bits, so `inverse` is checked too.
  return !v128.any_true(unsure) && inverse - inverse == 0.0;
}

/** Stores p∘(v - ⟨p, v⟩), computed from h = v - v_a, a = argmax, as in the exact way. */
function storeQuickProduct(classes: usize, work: usize, inverse: f64, v: usize, out: usize): bool {
  const es = work + HEADER;
  const hs = vectorAt(work, classes, 2);
  let top = 0.0;
  for (let k: usize = 0; k < classes; k++) {
    // e is 1 for every maximum, and any of them will do.
    if (load<f64>(es + (k << 3)) == 1.0) {
      top = load<f64>(v + (k << 3));
      break;
    }
  }
  const even = classes & ~1;
  const tops = f64x2.splat(top);
  let sum = f64x2.splat(0.0);
  let size = f64x2.splat(0.0);
  let largest = f64x2.splat(0.0);
  for (let k: usize = 0; k < classes; k += 2) {
    const e = v128.load(es + (k << 3));
    const given = k < even ? v128.load(v + (k << 3)) : f64x2.replace_lane(tops, 0, load<f64>(v + (k << 3)));
    const h = f64x2.sub(given, tops);
    const magnitude = f64x2.abs(h);
    v128.store(hs + (k << 3), h);
    sum = f64x2.add(sum, f64x2.mul(e, h));
    size = f64x2.add(size, f64x2.mul(e, magnitude));
    largest = f64x2.pmax(magnitude, largest);
  }
  const c = (f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1)) * inverse;
  const scale = (f64x2.extract_lane(size, 0) + f64x2.extract_lane(size, 1)) * inverse;
  const largestInput = Math.max(f64x2.extract_lane(largest, 0), f64x2.extract_lane(largest, 1));
  // False for NaN too, which remains in the sums.
  if (!(largestInput <= MAX_INPUT) || !(scale <= MAX_INPUT)) return false;

  const vc = f64x2.splat(c);
  const vInverse = f64x2.splat(inverse);
  const perSize = f64x2.splat(3.0 * BOUND);
  const fixed = f64x2.splat(3.0 * BOUND * scale + UNDERFLOW);
  let unsure = f64x2.splat(0.0);
  for (let k: usize = 0; k < classes; k += 2) {
    const p = f64x2.mul(v128.load(es + (k << 3)), vInverse);
    const h = v128.load(hs + (k << 3));
    const factor = f64x2.sub(h, vc);
    const error = f64x2.add(f64x2.mul(f64x2.abs(h), perSize), fixed);
    const below = f32x4.demote_f64x2_zero(f64x2.mul(p, f64x2.sub(factor, error)));
    const above = f32x4.demote_f64x2_zero(f64x2.mul(p, f64x2.add(factor, error)));
    const differ = v128.xor(below, above);
    if (k < even) {
      unsure = v128.or(unsure, differ);
      v128.store64_lane(out + (k << 2), below, 0);
    } else {
      unsure = v128.or(unsure, f32x4.replace_lane(f32x4.splat(0.0), 0, f32x4.extract_lane(differ, 0)));
      store<f32>(out + (k << 2), f32x4.extract_lane(below, 0));
    }
  }
  return !v128.any_true(unsure);
}
