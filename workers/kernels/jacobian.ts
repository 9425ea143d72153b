import { WORK_HEADER } from "./softmax";

// @ts-ignore: decorator
@inline
function diagonalEntry(work: usize, i: usize): f64 {
  const pi = load<f64>(work + WORK_HEADER + (i << 3));
  return i == <usize>load<i32>(work + 8) ? pi * load<f64>(work) : pi * (1.0 - pi);
}

/** Rows [iStart, iEnd) of the block -p pᵀ + diag(p), row-major float64, to `out`. */
export function storeTile64(work: usize, classes: usize, iStart: usize, iEnd: usize, out: usize): void {
  const p = work + WORK_HEADER;
  const even = classes & ~1;
  const zero = f64x2.splat(0.0);
  for (let i = iStart; i < iEnd; i++) {
    const pi = load<f64>(p + (i << 3));
    const vpi = f64x2.splat(pi);
    for (let j: usize = 0; j < even; j += 2) {
      v128.store(out + (j << 3), f64x2.sub(zero, f64x2.mul(vpi, v128.load(p + (j << 3)))));
    }
    if (classes & 1) store<f64>(out + (even << 3), 0.0 - pi * load<f64>(p + (even << 3)));
    store<f64>(out + (i << 3), diagonalEntry(work, i));
    out += classes << 3;
  }
}

/** The same, each entry rounded once to float32. */
export function storeTile32(work: usize, classes: usize, iStart: usize, iEnd: usize, out: usize): void {
  const p = work + WORK_HEADER;
  const quads = classes & ~3;
  const zero = f64x2.splat(0.0);
  for (let i = iStart; i < iEnd; i++) {
    const pi = load<f64>(p + (i << 3));
    const vpi = f64x2.splat(pi);
    for (let j: usize = 0; j < quads; j += 4) {
      const x = f64x2.sub(zero, f64x2.mul(vpi, v128.load(p + (j << 3))));
      const y = f64x2.sub(zero, f64x2.mul(vpi, v128.load(p + (j << 3), 16)));
      v128.store(out + (j << 2), v128.shuffle<f32>(f32x4.demote_f64x2_zero(x), f32x4.demote_f64x2_zero(y), 0, 1, 4, 5));
    }
    for (let j = quads; j < classes; j++) store<f32>(out + (j << 2), <f32>(0.0 - pi * load<f64>(p + (j << 3))));
    store<f32>(out + (i << 2), <f32>diagonalEntry(work, i));
    out += classes << 2;
  }
}
