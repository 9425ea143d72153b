/** A row of logits to float64 (exact), with -inf behind the last one when their number is odd. */
export function widenRow(source: usize, float32: bool, classes: usize, out: usize): void {
  const even = classes & ~1;
  if (float32) {
    for (let k: usize = 0; k < even; k += 2)
      v128.store(out + (k << 3), f64x2.promote_low_f32x4(v128.load64_zero(source + (k << 2))));
    if (even != classes) store<f64>(out + (even << 3), <f64>load<f32>(source + (even << 2)));
  } else {
    for (let k: usize = 0; k < classes; k++) store<f64>(out + (k << 3), load<f64>(source + (k << 3)));
  }
  if (even != classes) store<f64>(out + (classes << 3), -Infinity);
}
