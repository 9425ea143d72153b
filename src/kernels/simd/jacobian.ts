import { diagonalAt, SAFE } from "../portable/entries.js";
import { storeJacobian } from "../portable/blocks.js";
import { SMALLEST, UNSCALE, vectorAt } from "../portable/work.js";

/** Stores rows [iStart, iEnd) of the block, row-major; SIMD version of storeJacobian. */
export function storeTile(work: usize, classes: usize, iStart: usize, iEnd: usize, out: usize, float32: bool): void {
  const smallest = load<f64>(work + SMALLEST);
  if (smallest * smallest < SAFE) {
    storeJacobian(work, classes, iStart, iEnd, out, float32);
    return;
  }
  const highs = vectorAt(work, classes, 7);
  const lows = vectorAt(work, classes, 8);
  const middles = vectorAt(work, classes, 9);
  const scale = f64x2.splat(UNSCALE);
  const minus = f64x2.splat(-UNSCALE);
  const shift: usize = float32 ? 2 : 3;
  const bytes = (classes & ~1) << 3;
  for (let i = iStart; i < iEnd; i++) {
    const high = f64x2.mul(v128.load64_splat(highs + (i << 3)), minus);
    const low = f64x2.mul(v128.load64_splat(lows + (i << 3)), scale);
    const middle = f64x2.mul(v128.load64_splat(middles + (i << 3)), scale);
    for (let j: usize = 0; j < bytes; j += 16) {
      const x = product(high, middle, low, v128.load(highs + j), v128.load(lows + j), v128.load(middles + j));
      if (float32) v128.store64_lane(out + (j >> 1), f32x4.demote_f64x2_zero(x), 0);
      else v128.store(out + j, x);
    }
    if (classes & 1) {
      const x = product(
        high, middle, low, v128.load64_zero(highs + bytes), v128.load64_zero(lows + bytes), v128.load64_zero(middles + bytes),
      );
      if (float32) v128.store32_lane(out + (bytes >> 1), f32x4.demote_f64x2_zero(x), 0);
      else v128.store64_lane(out + bytes, x, 0);
    }
    const diagonal = diagonalAt(work, classes, i);
    if (float32) store<f32>(out + (i << 2), <f32>diagonal);
    else store<f64>(out + (i << 3), diagonal);
    out += classes << shift;
  }
}

/** Returns the entries of two classes j, as storeSumsOfProducts does. */
@inline
function product(high: v128, middle: v128, low: v128, highs: v128, lows: v128, middles: v128): v128 {
  return f64x2.add(f64x2.mul(high, highs), f64x2.add(f64x2.mul(middle, lows), f64x2.mul(low, middles)));
}
