import { storeScaledExp } from "./exp";
import { loadOne, loadPair } from "./load";

// The work area of one row, W = classes rounded up to even:
//   0       winner's diagonal factor tail/S   f64
//   8       argmax                            i32
//   16      p        f64[W]
//   16+8W   e high   f64[W]      (scaled by 2^512)
//   16+16W  e low    f64[W]

// @ts-ignore: decorator
@inline export const WORK_HEADER: usize = 16;
// @ts-ignore: decorator
@inline const SCALE: f64 = 1.3407807929942597e154; // 2^512

// @ts-ignore: decorator
@inline
export function paddedClasses(classes: usize): usize {
  return (classes + 1) & ~1;
}

/**
 * Softmax of one row into its work area; the twin of softmaxRow in src/numeric/softmax.ts.
 * Returns false for a bad row (a NaN, a +inf, or nothing but -inf).
 */
export function softmaxRow(source: usize, float32: bool, classes: usize, work: usize): bool {
  const width = paddedClasses(classes);
  const p = work + WORK_HEADER;
  const high = p + (width << 3);
  const low = high + (width << 3);
  const even = classes & ~1;

  let top = f64x2.splat(-Infinity);
  for (let k: usize = 0; k < even; k += 2) top = f64x2.max(top, loadPair(source, k, float32));
  let m = max(f64x2.extract_lane(top, 0), f64x2.extract_lane(top, 1));
  if (classes & 1) m = max(m, loadOne(source, even, float32));
  if (!isFinite(m)) return false;
  let a: usize = 0;
  while (loadOne(source, a, float32) != m) a++;

  const negM = f64x2.splat(-m);
  for (let k: usize = 0; k < width; k += 2) {
    const o = k < even ? loadPair(source, k, float32) : f64x2.replace_lane(f64x2.splat(-Infinity), 0, loadOne(source, k, float32));
    const d = f64x2.add(o, negM);
    const bb = f64x2.sub(d, o);
    const delta = f64x2.add(f64x2.sub(o, f64x2.sub(d, bb)), f64x2.sub(negM, bb));
    storeScaledExp(d, delta, high + (k << 3), low + (k << 3));
  }

  // tail: the winner is taken out of the sum, then put back
  store<f64>(high + (a << 3), 0.0);
  let sum = f64x2.splat(0.0);
  let lost = f64x2.splat(0.0);
  for (let k: usize = 0; k < width; k += 2) {
    const e = v128.load(high + (k << 3));
    const s = f64x2.add(sum, e);
    const bb = f64x2.sub(s, sum);
    lost = f64x2.add(lost, f64x2.add(f64x2.add(f64x2.sub(sum, f64x2.sub(s, bb)), f64x2.sub(e, bb)), v128.load(low + (k << 3))));
    sum = s;
  }
  store<f64>(high + (a << 3), SCALE);
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
  for (let k: usize = 0; k < width; k += 2) {
    const e = v128.load(high + (k << 3));
    const correction = f64x2.mul(f64x2.sub(v128.load(low + (k << 3)), f64x2.mul(e, vC)), vInverse);
    v128.store(p + (k << 3), f64x2.add(f64x2.div(e, vS), correction));
  }
  store<f64>(work, tail / S + (tailLow - tail * c) * inverse);
  store<i32>(work + 8, <i32>a);
  return true;
}

/** The work area of a bad row: p = 0 everywhere, so that what is stored from it is 0. */
export function clearRow(classes: usize, work: usize): void {
  memory.fill(work, 0, WORK_HEADER + (paddedClasses(classes) << 3));
}
