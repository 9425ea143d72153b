import { storeExpTable } from "../portable/exp-table.js";
import {
  ARGMAX, clearHeader, EXP_CONSTANTS, EXP_TABLE, HEADER, paddedClasses, PAIR_SCALE, PAIR_UNSCALE, ROOT, ROOT_LOW, SCALE,
  secondArea, SMALLEST, storePeak, storeTemperature, TAIL, TAIL_LOW, TEMPERATURE, TOTAL, TOTAL_LOW, UNIT, UNIT_LOW,
  UNSCALE, vectorAt, WINNER, winnerOf,
} from "../portable/work.js";
import { diagonal, SAFE, scaledPair, scaledProduct } from "../portable/entries.js";
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
    : loadLanes(first + (k << 3), second + (k << 3));
}

/**
 * Computes the softmax of two rows, one per lane, into the two areas at `work`; SIMD version of softmaxRow in
 * src/kernels/softmax.ts. Stores the pairs of p only if `pairs` is set, and e, d and delta only if `whole` is set. Returns 1 if the first row is good, plus 2 if the
 * second one is (bad: a NaN, a +inf, or only -inf). With `firstLow` and `secondLow` (0: none), logits are sums of two doubles;
 * then the temperature must be 1.
 */
export function softmaxPair(
  first: usize, second: usize, float32: bool, classes: usize, work: usize, pairs: bool, whole: bool, firstLow: usize = 0,
  secondLow: usize = 0,
): i32 {
  const other = secondArea(work, classes);
  // [classes, 2] each: logits, later d; delta; e high; e low.
  const ds = secondArea(other, classes);
  const deltas = ds + (classes << 4);
  const highs = deltas + (classes << 4);
  const lows = highs + (classes << 4);

  let m = f64x2.splat(-Infinity);
  let unordered = f64x2.splat(0.0);
  let index = f64x2.splat(0.0);
  let winner = index;
  for (let k: usize = 0; k < classes; k++) {
    const o = loadPair(first, second, k, float32);
    v128.store(ds + (k << 4), o);
    winner = v128.bitselect(index, winner, f64x2.gt(o, m));
    index = f64x2.add(index, f64x2.splat(1.0));
    m = f64x2.pmax(m, o);
    unordered = v128.or(unordered, f64x2.ne(o, o));
  }
  // For a NaN, as for an infinity, m - m is NaN.
  m = v128.or(m, unordered);
  const good = i64x2.bitmask(f64x2.eq(f64x2.sub(m, m), f64x2.splat(0.0)));
  if (good == 0) return 0;

  const a = <usize>f64x2.extract_lane(winner, 0);
  const b = <usize>f64x2.extract_lane(winner, 1);
  let lowM = f64x2.splat(0.0);
  if (firstLow != 0) lowM = v128.load64_lane(secondLow + (b << 3), v128.load64_zero(firstLow + (a << 3)), 1);
  const temperature = load<f64>(work + TEMPERATURE);
  if (temperature != 1.0) divideDifferences(ds, deltas, classes, m, temperature);
  let sum = f64x2.splat(0.0);
  let lost = f64x2.splat(0.0);
  index = f64x2.splat(0.0);
  for (let k: usize = 0; k < classes; k++) {
    const o = v128.load(ds + (k << 4));
    let d = o;
    let delta = o;
    if (temperature == 1.0) {
      d = f64x2.sub(o, m);
      const bb = f64x2.sub(d, o);
      delta = f64x2.sub(f64x2.sub(o, f64x2.sub(d, bb)), f64x2.add(m, bb));
      if (firstLow != 0) delta = f64x2.add(delta, f64x2.sub(loadPair(firstLow, secondLow, k, false), lowM));
      if (whole) {
        v128.store(ds + (k << 4), d);
        v128.store(deltas + (k << 4), delta);
      }
    } else delta = v128.load(deltas + (k << 4));
    storeScaledExp(d, delta, work, work + EXP_CONSTANTS, highs + (k << 4), lows + (k << 4));

    const e = v128.and(v128.load(highs + (k << 4)), f64x2.ne(index, winner));
    index = f64x2.add(index, f64x2.splat(1.0));
    const s = f64x2.add(sum, e);
    const sb = f64x2.sub(s, sum);
    lost = f64x2.add(lost, f64x2.add(f64x2.add(f64x2.sub(sum, f64x2.sub(s, sb)), f64x2.sub(e, sb)), v128.load(lows + (k << 4))));
    sum = s;
  }

  const rounded = f64x2.add(sum, lost);
  lost = f64x2.sub(lost, f64x2.sub(rounded, sum));
  sum = rounded;
  const scale = f64x2.splat(SCALE);
  const S = f64x2.add(scale, sum);
  const bb = f64x2.sub(S, scale);
  const SLow = f64x2.add(f64x2.add(f64x2.sub(scale, f64x2.sub(S, bb)), f64x2.sub(sum, bb)), lost);
  storeLanes(work + TAIL, other + TAIL, sum);
  storeLanes(work + TAIL_LOW, other + TAIL_LOW, lost);
  storeLanes(work + TOTAL, other + TOTAL, S);
  store<i32>(work + ARGMAX, <i32>a);
  store<i32>(other + ARGMAX, <i32>b);
  if (!pairs || temperature != 1.0) storeQuotients(work, classes, S, SLow);
  if (pairs) storePairs(work, classes, S, SLow, temperature == 1.0);
  if (whole) {
    storeLanes(work + TOTAL_LOW, other + TOTAL_LOW, f64x2.div(SLow, S));
    storePeak(work, f64x2.extract_lane(m, 0));
    storePeak(other, f64x2.extract_lane(m, 1));
    separate(highs, classes, vectorAt(work, classes, 1), vectorAt(other, classes, 1));
    separate(lows, classes, vectorAt(work, classes, 2), vectorAt(other, classes, 2));
    separate(ds, classes, vectorAt(work, classes, 3), vectorAt(other, classes, 3));
    separate(deltas, classes, vectorAt(work, classes, 4), vectorAt(other, classes, 4));
    store<f64>(vectorAt(work, classes, 1) + (a << 3), 0.0);
    store<f64>(vectorAt(other, classes, 1) + (b << 3), 0.0);
  }
  return good;
}

/** Replaces logits by d, the rounded (o - m)/T, and stores delta, what it lacks. */
function divideDifferences(ds: usize, deltas: usize, classes: usize, m: v128, temperature: f64): void {
  // (o/2 - m/2)/(T/2), because o - m may overflow though the quotient does not.
  const half = f64x2.splat(0.5);
  const halfM = f64x2.mul(m, half);
  const t = f64x2.splat(0.5 * temperature);
  for (let k: usize = 0; k < classes; k++) {
    const o = f64x2.mul(v128.load(ds + (k << 4)), half);
    const d = f64x2.sub(o, halfM);
    const bb = f64x2.sub(d, o);
    const delta = f64x2.sub(f64x2.sub(o, f64x2.sub(d, bb)), f64x2.add(halfM, bb));
    const quotient = f64x2.div(d, t);
    const product = f64x2.mul(quotient, t);
    const remainder = f64x2.sub(f64x2.sub(d, product), productError(quotient, t, product));
    v128.store(ds + (k << 4), quotient);
    v128.store(deltas + (k << 4), f64x2.div(f64x2.add(delta, remainder), t));
  }
}

/** Stores p and 1 - p_a of two rows; SIMD version of storeQuotients in src/kernels/softmax.ts, as is storePairs. */
function storeQuotients(work: usize, classes: usize, S: v128, SLow: v128): void {
  const other = secondArea(work, classes);
  const highs = secondArea(other, classes) + (classes << 5);
  const lows = highs + (classes << 4);
  const D = f64x2.mul(S, f64x2.splat(PAIR_UNSCALE));
  const DLow = f64x2.mul(SLow, f64x2.splat(PAIR_UNSCALE));
  const first = leading26s(D);
  const second = f64x2.sub(D, first);
  const inverse = f64x2.div(f64x2.splat(1.0), D);
  for (let k: usize = 0; k < classes; k++) {
    const e = v128.load(highs + (k << 4));
    const high = leading26s(f64x2.mul(e, inverse));
    const low = negatedLow(e, v128.load(lows + (k << 4)), high, first, second, DLow, inverse);
    storeLanes(work + HEADER + (k << 3), other + HEADER + (k << 3), scaledPairs(high, low));
  }
  const tail = loadLanes(work + TAIL, other + TAIL);
  const high = leading26s(f64x2.mul(tail, inverse));
  const low = negatedLow(tail, loadLanes(work + TAIL_LOW, other + TAIL_LOW), high, first, second, DLow, inverse);
  storeLanes(work + WINNER, other + WINNER, scaledPairs(high, low));
}

/** Stores the pairs of two rows and the diagonals of their blocks; with `p` (T = 1), also what storeQuotients does. */
function storePairs(work: usize, classes: usize, S: v128, SLow: v128, p: bool): void {
  const other = secondArea(work, classes);
  const highs = secondArea(other, classes) + (classes << 5);
  const lows = highs + (classes << 4);
  const root = v128.load64_splat(work + ROOT);
  const D = f64x2.mul(S, root);
  const DLow = f64x2.add(
    productError(S, root, D), f64x2.add(f64x2.mul(S, v128.load64_splat(work + ROOT_LOW)), f64x2.mul(SLow, root)),
  );
  const first = leading26s(D);
  const second = f64x2.sub(D, first);
  const inverse = f64x2.div(f64x2.splat(1.0), D);
  const unit = v128.load64_splat(work + UNIT);
  const unitLow = v128.load64_splat(work + UNIT_LOW);
  const wholeUnit = f64x2.add(unit, unitLow);
  const vectors = vectorAt(work, classes, 7) - work;
  const next = vectorAt(work, classes, 8) - work - vectors;
  let smallest = f64x2.splat(Infinity);
  for (let k: usize = 0; k < classes; k++) {
    const e = v128.load(highs + (k << 4));
    const high = leading26s(f64x2.mul(e, inverse));
    const low = negatedLow(e, v128.load(lows + (k << 4)), high, first, second, DLow, inverse);
    if (p) {
      const sum = f64x2.sub(high, low);
      storeLanes(work + HEADER + (k << 3), other + HEADER + (k << 3), f64x2.mul(sum, f64x2.splat(PAIR_UNSCALE)));
    }
    const at = work + vectors + (k << 3);
    const otherAt = other + vectors + (k << 3);
    const middle = f64x2.sub(high, f64x2.mul(f64x2.splat(0.5), low));
    storeLanes(at, otherAt, high);
    storeLanes(at + next, otherAt + next, low);
    storeLanes(at + 2 * next, otherAt + 2 * next, middle);
    // A zero becomes a NaN, which pmin ignores.
    smallest = f64x2.pmin(smallest, v128.or(high, f64x2.eq(high, f64x2.splat(0.0))));
    // As diagonal() in portable/entries.ts does.
    const product = f64x2.mul(high, unit);
    const square = f64x2.mul(high, high);
    const large = f64x2.sub(product, square);
    const error = f64x2.sub(f64x2.sub(product, large), square);
    const factor = f64x2.sub(wholeUnit, f64x2.add(middle, middle));
    const small = f64x2.sub(f64x2.sub(f64x2.mul(low, factor), f64x2.mul(high, unitLow)), error);
    storeLanes(at + 3 * next, otherAt + 3 * next, f64x2.mul(f64x2.sub(large, small), f64x2.splat(UNSCALE)));
  }
  storeLanes(work + SMALLEST, other + SMALLEST, smallest);
  const tail = loadLanes(work + TAIL, other + TAIL);
  const high = leading26s(f64x2.mul(tail, inverse));
  const low = negatedLow(tail, loadLanes(work + TAIL_LOW, other + TAIL_LOW), high, first, second, DLow, inverse);
  if (p) storeLanes(work + WINNER, other + WINNER, scaledPairs(high, low));
  finishPairs(work, classes, p, f64x2.extract_lane(high, 0), f64x2.extract_lane(low, 0));
  finishPairs(other, classes, p, f64x2.extract_lane(high, 1), f64x2.extract_lane(low, 1));
}

/**
 * Stores the diagonal entry of the predicted class of a row, for which `high` and `low` are (1 - p_a)·2^256/√T. Rounds
 * p and the diagonal anew if some are subnormal.
 */
function finishPairs(work: usize, classes: usize, p: bool, high: f64, low: f64): void {
  const next = paddedClasses(classes) << 3;
  const highs = vectorAt(work, classes, 7);
  const smallest = load<f64>(work + SMALLEST);
  if (smallest * smallest < SAFE) {
    const unit = load<f64>(work + UNIT);
    const unitLow = load<f64>(work + UNIT_LOW);
    for (let k: usize = 0; k < classes; k++) {
      const at = highs + (k << 3);
      if (p) store<f64>(work + HEADER + (k << 3), scaledPair(load<f64>(at), load<f64>(at + next)));
      store<f64>(at + 3 * next, diagonal(load<f64>(at), load<f64>(at + next), load<f64>(at + 2 * next), unit, unitLow));
    }
  }
  const at = highs + (winnerOf(work) << 3);
  const small = load<f64>(at + 2 * next) * low + load<f64>(at + next) * (high - 0.5 * low);
  store<f64>(at + 3 * next, scaledProduct(load<f64>(at) * high, small));
}

@inline
function leading26s(values: v128): v128 {
  return v128.and(values, i64x2.splat(~0x7ffffff));
}

/** Returns (high·D - e)/D, see storeQuotients in src/kernels/softmax.ts. */
@inline
function negatedLow(e: v128, eLow: v128, high: v128, first: v128, second: v128, DLow: v128, inverse: v128): v128 {
  const exact = f64x2.add(f64x2.sub(f64x2.mul(high, first), e), f64x2.mul(high, second));
  return f64x2.mul(f64x2.add(exact, f64x2.sub(f64x2.mul(high, DLow), eLow)), inverse);
}

/** Returns (high - low)·2^-256, rounded once. */
@inline
function scaledPairs(high: v128, low: v128): v128 {
  const sum = f64x2.sub(high, low);
  const result = f64x2.mul(sum, f64x2.splat(PAIR_UNSCALE));
  // Only subnormal results are rounded (NaN is in bad rows only).
  if (!v128.any_true(f64x2.ne(f64x2.mul(result, f64x2.splat(PAIR_SCALE)), sum))) return result;
  const first = scaledPair(f64x2.extract_lane(high, 0), f64x2.extract_lane(low, 0));
  return f64x2.replace_lane(f64x2.splat(first), 1, scaledPair(f64x2.extract_lane(high, 1), f64x2.extract_lane(low, 1)));
}

@inline
function loadLanes(first: usize, second: usize): v128 {
  return v128.load64_lane(second, v128.load64_zero(first), 1);
}

@inline
function storeLanes(first: usize, second: usize, pair: v128): void {
  v128.store64_lane(first, pair, 0);
  v128.store64_lane(second, pair, 1);
}

/** Separates `count` pairs into two vectors. */
function separate(from: usize, count: usize, first: usize, second: usize): void {
  for (let k: usize = 0; k < count; k++) storeLanes(first + (k << 3), second + (k << 3), v128.load(from + (k << 4)));
}

/** Returns a·b - product, exactly, for the rounded product (Dekker). */
@inline
function productError(a: v128, b: v128, product: v128): v128 {
  const splitter = f64x2.splat(134217729.0);
  const ca = f64x2.mul(a, splitter);
  const ah = f64x2.sub(ca, f64x2.sub(ca, a));
  const al = f64x2.sub(a, ah);
  const cb = f64x2.mul(b, splitter);
  const bh = f64x2.sub(cb, f64x2.sub(cb, b));
  const bl = f64x2.sub(b, bh);
  return f64x2.add(
    f64x2.add(f64x2.add(f64x2.sub(f64x2.mul(ah, bh), product), f64x2.mul(ah, bl)), f64x2.mul(al, bh)),
    f64x2.mul(al, bl),
  );
}

/** Clears the work area of a bad row, so that its results are 0. */
export function clearRow(classes: usize, work: usize): void {
  clearHeader(work);
  memory.fill(work + HEADER, 0, classes << 3);
}
