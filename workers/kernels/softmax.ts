import {
  ARGMAX, clearHeader, EXP_TABLE, HEADER, paddedClasses, SCALE, storePeak, storeTemperature, TAIL, TAIL_LOW, TEMPERATURE, TOTAL,
  TOTAL_LOW, WINNER,
} from "../../src/numeric/portable/work.js";
import { storeExpTable, storeScaledExp } from "./exp";
import { widenRow } from "./load";

/** Before the first softmaxRow in a work area: what stays the same from row to row. */
export function prepareWork(work: usize, temperature: f64): void {
  storeExpTable(work + EXP_TABLE);
  storeTemperature(work, temperature);
}

/**
 * Softmax of one row into its work area (src/numeric/portable/work.ts), which prepareWork has prepared; the twin of
 * softmaxRow in src/numeric/softmax.ts. Returns false for a bad row (a NaN, a +inf, or nothing but -inf).
 */
export function softmaxRow(source: usize, float32: bool, classes: usize, work: usize): bool {
  const width = paddedClasses(classes);
  const p = work + HEADER;
  const high = p + (width << 3);
  const low = high + (width << 3);
  const differences = low + (width << 3);
  const deltas = differences + (width << 3);
  // Logits that are not float64 pairs as they stand are made so where p will be.
  let logits = source;
  if (float32 || width != classes) {
    widenRow(source, float32, classes, p);
    logits = p;
  }

  let top = f64x2.splat(-Infinity);
  let unordered = f64x2.splat(0.0);
  for (let k: usize = 0; k < width; k += 2) {
    const o = v128.load(logits + (k << 3));
    top = f64x2.pmax(top, o);
    unordered = v128.or(unordered, f64x2.ne(o, o));
  }
  const m = max(f64x2.extract_lane(top, 0), f64x2.extract_lane(top, 1));
  if (!isFinite(m) || v128.any_true(unordered)) return false;
  const winner = firstOf(m, logits, width);
  const temperature = load<f64>(work + TEMPERATURE);

  const vWinner = f64x2.splat(winner);
  // (o - m)/T as (o/2 - m/2)/(T/2): with T beside it, a difference beyond float64 may give a quotient within it.
  const half = temperature == 1.0 ? 1.0 : 0.5;
  const vHalf = f64x2.splat(half);
  const negM = f64x2.splat(-m * half);
  const two = f64x2.splat(2.0);
  let sum = f64x2.splat(0.0);
  let lost = f64x2.splat(0.0);
  let index = f64x2.replace_lane(f64x2.splat(0.0), 1, 1.0);
  for (let k: usize = 0; k < width; k += 2) {
    const o = f64x2.mul(v128.load(logits + (k << 3)), vHalf);
    let d = f64x2.add(o, negM);
    const bb = f64x2.sub(d, o);
    let delta = f64x2.add(f64x2.sub(o, f64x2.sub(d, bb)), f64x2.sub(negM, bb));
    if (temperature != 1.0) {
      const t = f64x2.splat(0.5 * temperature);
      const quotient = f64x2.div(d, t);
      delta = f64x2.div(f64x2.add(delta, remainder(d, quotient, t)), t);
      d = quotient;
    }
    v128.store(differences + (k << 3), d);
    v128.store(deltas + (k << 3), delta);
    storeScaledExp(d, delta, f64x2.ne(index, vWinner), work + EXP_TABLE, high + (k << 3), low + (k << 3));
    index = f64x2.add(index, two);

    const e = v128.load(high + (k << 3));
    const s = f64x2.add(sum, e);
    const sb = f64x2.sub(s, sum);
    lost = f64x2.add(lost, f64x2.add(f64x2.add(f64x2.sub(sum, f64x2.sub(s, sb)), f64x2.sub(e, sb)), v128.load(low + (k << 3))));
    sum = s;
  }
  const s0 = f64x2.extract_lane(sum, 0);
  const s1 = f64x2.extract_lane(sum, 1);
  const tail = s0 + s1;
  let bb = tail - s0;
  const tailLow = (s0 - (tail - bb)) + (s1 - bb) + (f64x2.extract_lane(lost, 0) + f64x2.extract_lane(lost, 1));

  const S = SCALE + tail;
  bb = S - SCALE;
  const SLow = (SCALE - (S - bb)) + (tail - bb) + tailLow;
  const c = SLow / S;
  const inverse = 1.0 / S;

  const vS = f64x2.splat(S);
  const vC = f64x2.splat(c);
  const vInverse = f64x2.splat(inverse);
  const vScale = f64x2.splat(SCALE);
  index = f64x2.replace_lane(f64x2.splat(0.0), 1, 1.0);
  for (let k: usize = 0; k < width; k += 2) {
    const e = v128.or(v128.load(high + (k << 3)), v128.and(f64x2.eq(index, vWinner), vScale));
    index = f64x2.add(index, two);
    const correction = f64x2.mul(f64x2.sub(v128.load(low + (k << 3)), f64x2.mul(e, vC)), vInverse);
    v128.store(p + (k << 3), f64x2.add(f64x2.div(e, vS), correction));
  }
  store<f64>(work + WINNER, tail / S + (tailLow - tail * c) * inverse);
  store<i32>(work + ARGMAX, <i32>winner);
  store<f64>(work + TAIL, tail);
  store<f64>(work + TAIL_LOW, tailLow);
  store<f64>(work + TOTAL, S);
  store<f64>(work + TOTAL_LOW, c);
  storePeak(work, m);
  return true;
}

/** The first place of m, without a branch on the data. */
// @ts-ignore: decorator
@inline
function firstOf(m: f64, logits: usize, width: usize): f64 {
  const vm = f64x2.splat(m);
  let index = f64x2.replace_lane(f64x2.splat(<f64>(width - 1)), 0, <f64>(width - 2));
  let first = f64x2.splat(Infinity);
  for (let k = width; k > 0; ) {
    k -= 2;
    first = v128.bitselect(index, first, f64x2.eq(v128.load(logits + (k << 3)), vm));
    index = f64x2.sub(index, f64x2.splat(2.0));
  }
  return min(f64x2.extract_lane(first, 0), f64x2.extract_lane(first, 1));
}

/** d - quotient·t, exact (Dekker's product). */
// @ts-ignore: decorator
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

/** The work area of a bad row: p = 0 everywhere, so that what is stored from it is 0. */
export function clearRow(classes: usize, work: usize): void {
  clearHeader(work);
  memory.fill(work + HEADER, 0, paddedClasses(classes) << 3);
}
