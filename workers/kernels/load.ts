/** Two logits as f64x2: float64 as they are, float32 widened (exact). */
// @ts-ignore: decorator
@inline
export function loadPair(source: usize, k: usize, float32: bool): v128 {
  return float32
    ? f64x2.promote_low_f32x4(v128.load64_zero(source + (k << 2)))
    : v128.load(source + (k << 3));
}

/** One logit as f64. */
// @ts-ignore: decorator
@inline
export function loadOne(source: usize, k: usize, float32: bool): f64 {
  return float32 ? <f64>load<f32>(source + (k << 2)) : load<f64>(source + (k << 3));
}
