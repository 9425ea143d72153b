import { storeExpTable } from "../portable/exp-table.js";
import {
  ARGMAX, clearHeader, EXP_CONSTANTS, EXP_TABLE, HEADER, SCALE, secondArea, storePeak, storeTemperature, TAIL, TAIL_LOW, TEMPERATURE,
  TOTAL, TOTAL_LOW, vectorAt, WINNER,
} from "../portable/work.js";
import { storeExpConstants, storeScaledExp } from "./exp";

export function prepare(work: usize): void {
  storeExpTable(work + EXP_TABLE);
  storeExpConstants(work + EXP_CONSTANTS);
}

/** Sets the temperature in both work areas. */
export function setTemperature(work: usize, classes: usize, temperature: f64): void {
  storeTemperature(work, temperature);
  storeTemperature(secondArea(work, classes), temperature);
}

/** Loads class k of two rows as f64x2. */
@inline
function loadPair(first: usize, second: usize, k: usize, float32: bool): v128 {
  return float32
    ? f64x2.promote_low_f32x4(v128.load32_lane(second + (k << 2), v128.load32_zero(first + (k << 2)), 1))
    : v128.load64_lane(second + (k << 3), v128.load64_zero(first + (k << 3)), 1);
}

/**
 * Computes the softmax of two rows, one per lane, into the two areas at `work`; SIMD version of softmaxRow in
 * src/kernels/softmax.ts. Stores e, d and delta only if `whole` is set. Returns 1 if the first row is good, plus 2 if the
 * second one is (bad: a NaN, a +inf, or only -inf). With `firstLow` and `secondLow` (0: none), logits are sums of two doubles;
 * then the temperature must be 1.
 */
export function softmaxPair(
  first: usize, second: usize, float32: bool, classes: usize, work: usize, whole: bool, firstLow: usize = 0, secondLow: usize = 0,
): i32 {
  const other = secondArea(work, classes);
  // [classes, 2] each: logits, later d; delta; e high; e low.
  const ds = secondArea(other, classes);
  const deltas = ds + (classes << 4);
  const highs = deltas + (classes << 4);
  const lows = highs + (classes << 4);

  let m = f64x2.splat(-Infinity);
  let unordered = f64x2.splat(0.0);
  for (let k: usize = 0; k < classes; k++) {
    const o = loadPair(first, second, k, float32);
    v128.store(ds + (k << 4), o);
    m = f64x2.pmax(m, o);
    unordered = v128.or(unordered, f64x2.ne(o, o));
  }
  // For a NaN, as for an infinity, m - m is NaN.
  m = v128.or(m, unordered);
  const finite = f64x2.eq(f64x2.sub(m, m), f64x2.splat(0.0));
  const good = i64x2.bitmask(finite);
  if (good == 0) return 0;

  let index = f64x2.splat(<f64>classes);
  let winner = index;
  for (let k = classes; k > 0; ) {
    k--;
    index = f64x2.sub(index, f64x2.splat(1.0));
    winner = v128.bitselect(index, winner, f64x2.eq(v128.load(ds + (k << 4)), m));
  }

  let lowM = f64x2.splat(0.0);
  if (firstLow != 0) {
    const k0 = <usize>f64x2.extract_lane(winner, 0) << 3;
    const k1 = <usize>f64x2.extract_lane(winner, 1) << 3;
    if (good & 1) lowM = f64x2.replace_lane(lowM, 0, load<f64>(firstLow + k0));
    if (good & 2) lowM = f64x2.replace_lane(lowM, 1, load<f64>(secondLow + k1));
  }
  const temperature = load<f64>(work + TEMPERATURE);
  // (o - m)/T as (o/2 - m/2)/(T/2), because o - m may overflow though the quotient does not.
  const half = temperature == 1.0 ? f64x2.splat(1.0) : f64x2.splat(0.5);
  const negM = f64x2.neg(f64x2.mul(m, half));
  let sum = f64x2.splat(0.0);
  let lost = f64x2.splat(0.0);
  index = f64x2.splat(0.0);
  for (let k: usize = 0; k < classes; k++) {
    const o = f64x2.mul(v128.load(ds + (k << 4)), half);
    let d = f64x2.add(o, negM);
    const bb = f64x2.sub(d, o);
    let delta = f64x2.add(f64x2.sub(o, f64x2.sub(d, bb)), f64x2.sub(negM, bb));
    if (temperature != 1.0) {
      const t = f64x2.splat(0.5 * temperature);
      const quotient = f64x2.div(d, t);
      delta = f64x2.div(f64x2.add(delta, remainder(d, quotient, t)), t);
      d = quotient;
    }
    if (firstLow != 0) delta = f64x2.add(delta, f64x2.sub(loadPair(firstLow, secondLow, k, false), lowM));
    if (whole) {
      v128.store(ds + (k << 4), d);
      v128.store(deltas + (k << 4), delta);
    }
    storeScaledExp(
      d, delta, f64x2.ne(index, winner), work, work + EXP_CONSTANTS, highs + (k << 4), lows + (k << 4),
    );
    index = f64x2.add(index, f64x2.splat(1.0));

    const e = v128.load(highs + (k << 4));
    const s = f64x2.add(sum, e);
    const sb = f64x2.sub(s, sum);
    lost = f64x2.add(lost, f64x2.add(f64x2.add(f64x2.sub(sum, f64x2.sub(s, sb)), f64x2.sub(e, sb)), v128.load(lows + (k << 4))));
    sum = s;
  }

  const scale = f64x2.splat(SCALE);
  const S = f64x2.add(scale, sum);
  const bb = f64x2.sub(S, scale);
  const SLow = f64x2.add(f64x2.add(f64x2.sub(scale, f64x2.sub(S, bb)), f64x2.sub(sum, bb)), lost);
  const c = f64x2.div(SLow, S);
  const inverse = f64x2.div(f64x2.splat(1.0), S);
  index = f64x2.splat(0.0);
  for (let k: usize = 0; k < classes; k++) {
    const e = v128.or(v128.load(highs + (k << 4)), v128.and(f64x2.eq(index, winner), scale));
    index = f64x2.add(index, f64x2.splat(1.0));
    const correction = f64x2.mul(f64x2.sub(v128.load(lows + (k << 4)), f64x2.mul(e, c)), inverse);
    storeLanes(work + HEADER + (k << 3), other + HEADER + (k << 3), f64x2.add(f64x2.div(e, S), correction));
  }
  const uncertainty = f64x2.add(f64x2.div(sum, S), f64x2.mul(f64x2.sub(lost, f64x2.mul(sum, c)), inverse));
  storeLanes(work + WINNER, other + WINNER, uncertainty);
  storeLanes(work + TAIL, other + TAIL, sum);
  storeLanes(work + TAIL_LOW, other + TAIL_LOW, lost);
  storeLanes(work + TOTAL, other + TOTAL, S);
  storeLanes(work + TOTAL_LOW, other + TOTAL_LOW, c);
  store<i32>(work + ARGMAX, <i32>f64x2.extract_lane(winner, 0));
  store<i32>(other + ARGMAX, <i32>f64x2.extract_lane(winner, 1));
  if (whole) {
    storePeak(work, f64x2.extract_lane(m, 0));
    storePeak(other, f64x2.extract_lane(m, 1));
    separate(highs, classes, vectorAt(work, classes, 1), vectorAt(other, classes, 1));
    separate(lows, classes, vectorAt(work, classes, 2), vectorAt(other, classes, 2));
    separate(ds, classes, vectorAt(work, classes, 3), vectorAt(other, classes, 3));
    separate(deltas, classes, vectorAt(work, classes, 4), vectorAt(other, classes, 4));
  }
  return good;
}

@inline
function storeLanes(first: usize, second: usize, pair: v128): void {
  v128.store64_lane(first, pair, 0);
  v128.store64_lane(second, pair, 1);
}

/** Separates `count` pairs into two vectors. */
function separate(pairs: usize, count: usize, first: usize, second: usize): void {
  for (let k: usize = 0; k < count; k++) storeLanes(first + (k << 3), second + (k << 3), v128.load(pairs + (k << 4)));
}

/** Returns d - quotient·t, exactly (Dekker's product). */
@inline
function remainder(d: v128, quotient: v128, t: v128): v128 {
  const splitter = f64x2.splat(134217729.0);
  const cq = f64x2.mul(quotient, splitter);
  const qh = f64x2.sub(cq, f64x2.sub(cq, quotient));
  const ql = f64x2.sub(quotient, qh);
  const ct = f64x2.mul(t, splitter);
  const th = f64x2.sub(ct, f64x2.sub(ct, t));
  const tl = f64x2.sub(t, th);
  const product = f64x2.mul(quotient, t);
  const error = f64x2.add(
    f64x2.add(f64x2.add(f64x2.sub(f64x2.mul(qh, th), product), f64x2.mul(qh, tl)), f64x2.mul(ql, th)),
    f64x2.mul(ql, tl),
  );
  return f64x2.sub(f64x2.sub(d, product), error);
}

/** Clears the work area of a bad row, so that its results are 0. */
export function clearRow(classes: usize, work: usize): void {
  clearHeader(work);
  memory.fill(work + HEADER, 0, classes << 3);
}
