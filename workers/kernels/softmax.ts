import { storeExpTable, storeScaledExp } from "./exp";
import { widenRow } from "./load";

// The work area of one row, W = classes rounded up to even:
//   0       winner's diagonal factor tail/S   f64
//   8       argmax                            i32
//   64      the table of exp                  f64[20]
//   256     p        f64[W]
//   256+8W  e high   f64[W]      (scaled by 2^512)
//   256+16W e low    f64[W]

// @ts-ignore: decorator
@inline const EXP_TABLE: usize = 64;
// @ts-ignore: decorator
@inline export const WORK_HEADER: usize = 256;
// @ts-ignore: decorator
@inline const SCALE: f64 = 1.3407807929942597e154; // 2^512

// @ts-ignore: decorator
@inline
export function paddedClasses(classes: usize): usize {
  return (classes + 1) & ~1;
}

/** Before the first softmaxRow in a work area: what stays the same from row to row. */
export function prepareWork(work: usize): void {
  storeExpTable(work + EXP_TABLE);
}

/**
 * Softmax of one row into its work area, which prepareWork has prepared; the twin of softmaxRow in
 * src/numeric/softmax.ts. Returns false for a bad row (a NaN, a +inf, or nothing but -inf).
 */
export function softmaxRow(source: usize, float32: bool, classes: usize, work: usize): bool {
  const width = paddedClasses(classes);
  const p = work + WORK_HEADER;
  const high = p + (width << 3);
  const low = high + (width << 3);
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

  const vm = f64x2.splat(m);
  let index = f64x2.replace_lane(f64x2.splat(<f64>(width - 1)), 0, <f64>(width - 2));
  let first = f64x2.splat(Infinity);
  for (let k = width; k > 0; ) {
    k -= 2;
    first = v128.bitselect(index, first, f64x2.eq(v128.load(logits + (k << 3)), vm));
    index = f64x2.sub(index, f64x2.splat(2.0));
  }
  const winner = min(f64x2.extract_lane(first, 0), f64x2.extract_lane(first, 1));

  const vWinner = f64x2.splat(winner);
  const negM = f64x2.splat(-m);
  const two = f64x2.splat(2.0);
  let sum = f64x2.splat(0.0);
  let lost = f64x2.splat(0.0);
  index = f64x2.replace_lane(f64x2.splat(0.0), 1, 1.0);
  for (let k: usize = 0; k < width; k += 2) {
    const o = v128.load(logits + (k << 3));
    const d = f64x2.add(o, negM);
    const bb = f64x2.sub(d, o);
    const delta = f64x2.add(f64x2.sub(o, f64x2.sub(d, bb)), f64x2.sub(negM, bb));
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
  store<f64>(work, tail / S + (tailLow - tail * c) * inverse);
  store<i32>(work + 8, <i32>winner);
  return true;
}

/** The work area of a bad row: p = 0 everywhere, so that what is stored from it is 0. */
export function clearRow(classes: usize, work: usize): void {
  store<f64>(work, 0.0);
  store<i32>(work + 8, 0);
  memory.fill(work + WORK_HEADER, 0, paddedClasses(classes) << 3);
}
