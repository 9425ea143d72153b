import { storeValue } from "../portable/machine.js";
import { diagonalAt } from "../portable/vectors.js";
import { HEADER, TEMPERATURE } from "../portable/work.js";

/** Stores rows [iStart, iEnd) of the block (diag(p) - p pᵀ)/T as float64, row-major. */
export function storeTile64(work: usize, classes: usize, iStart: usize, iEnd: usize, out: usize): void {
  const p = work + HEADER;
  const even = classes & ~1;
  const zero = f64x2.splat(0.0);
  const t = load<f64>(work + TEMPERATURE);
  const vt = f64x2.splat(t);
  for (let i = iStart; i < iEnd; i++) {
    const pi = load<f64>(p + (i << 3));
    const vpi = f64x2.splat(pi);
    if (t == 1.0) {
      for (let j: usize = 0; j < even; j += 2) {
        v128.store(out + (j << 3), f64x2.sub(zero, f64x2.mul(vpi, v128.load(p + (j << 3)))));
      }
    } else {
      for (let j: usize = 0; j < even; j += 2) {
        v128.store(out + (j << 3), f64x2.div(f64x2.sub(zero, f64x2.mul(vpi, v128.load(p + (j << 3)))), vt));
      }
    }
    if (classes & 1) store<f64>(out + (even << 3), (0.0 - pi * load<f64>(p + (even << 3))) / t);
    store<f64>(out + (i << 3), diagonalAt(work, i) / t);
    out += classes << 3;
  }
}

/** Stores rows [iStart, iEnd) of the block (diag(p) - p pᵀ)/T, each entry rounded once to float32, row-major. */
export function storeTile32(work: usize, classes: usize, iStart: usize, iEnd: usize, out: usize): void {
  const p = work + HEADER;
  const quads = classes & ~3;
  const zero = f64x2.splat(0.0);
  const t = load<f64>(work + TEMPERATURE);
  const vt = f64x2.splat(t);
  for (let i = iStart; i < iEnd; i++) {
    const pi = load<f64>(p + (i << 3));
    const vpi = f64x2.splat(pi);
    for (let j: usize = 0; j < quads; j += 4) {
      let x = f64x2.sub(zero, f64x2.mul(vpi, v128.load(p + (j << 3))));
      let y = f64x2.sub(zero, f64x2.mul(vpi, v128.load(p + (j << 3), 16)));
      if (t != 1.0) {
        x = f64x2.div(x, vt);
        y = f64x2.div(y, vt);
      }
      v128.store(out + (j << 2), v128.shuffle<f32>(f32x4.demote_f64x2_zero(x), f32x4.demote_f64x2_zero(y), 0, 1, 4, 5));
    }
    for (let j = quads; j < classes; j++) store<f32>(out + (j << 2), <f32>((0.0 - pi * load<f64>(p + (j << 3))) / t));
    store<f32>(out + (i << 2), <f32>(diagonalAt(work, i) / t));
    out += classes << 2;
  }
}

/** Stores rows [iStart, iEnd) of the upper triangle, each from its diagonal on; SIMD version of storePacked. */
export function storeTriangle(work: usize, classes: usize, iStart: usize, iEnd: usize, out: usize, float32: bool): void {
  const p = work + HEADER;
  const zero = f64x2.splat(0.0);
  const t = load<f64>(work + TEMPERATURE);
  const vt = f64x2.splat(t);
  for (let i = iStart; i < iEnd; i++) {
    const pi = load<f64>(p + (i << 3));
    const vpi = f64x2.splat(pi);
    storeValue(out, 0, diagonalAt(work, i) / t, float32);
    const from = p + (i << 3);
    const rest = classes - i;
    let k: usize = 1;
    for (; k + 1 < rest; k += 2) {
      let x = f64x2.sub(zero, f64x2.mul(vpi, v128.load(from + (k << 3))));
      if (t != 1.0) x = f64x2.div(x, vt);
      if (float32) v128.store64_lane(out + (k << 2), f32x4.demote_f64x2_zero(x), 0);
      else v128.store(out + (k << 3), x);
    }
    if (k < rest) storeValue(out, k, (0.0 - pi * load<f64>(from + (k << 3))) / t, float32);
    out += rest << (float32 ? 2 : 3);
  }
}
