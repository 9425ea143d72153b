// exp in two doubles, scaled. The numbers are derived in src/numeric/exp.ts, which does the same operations in the
// same order; the two agree bit for bit.

// @ts-ignore: decorator
@inline const LOG2_E: f64 = 1.4426950408889634;
// @ts-ignore: decorator
@inline const LN2_HIGH: f64 = 6.93147180369123816490e-01;
// @ts-ignore: decorator
@inline const LN2_LOW: f64 = 1.90821492927058770002e-10;
// @ts-ignore: decorator
@inline const ROUND_MAGIC: f64 = 6755399441055744.0;
// @ts-ignore: decorator
@inline const EXP_FLOOR: f64 = -1000.0;
// @ts-ignore: decorator
@inline const SCALE_EXPONENT: i64 = 512;

/** Stores exp(d + delta)·2^512 as two f64x2, `high` and `low`; lanes with d <= -1000 give exactly 0. */
// @ts-ignore: decorator
@inline
export function storeScaledExp(d: v128, delta: v128, high: usize, low: usize): void {
  const live = f64x2.gt(d, f64x2.splat(EXP_FLOOR));
  d = f64x2.pmax(d, f64x2.splat(EXP_FLOOR));
  delta = v128.and(delta, live);

  const shifted = f64x2.add(f64x2.mul(d, f64x2.splat(LOG2_E)), f64x2.splat(ROUND_MAGIC));
  const n = f64x2.sub(shifted, f64x2.splat(ROUND_MAGIC));
  const t = f64x2.sub(d, f64x2.mul(n, f64x2.splat(LN2_HIGH)));
  const c = f64x2.mul(n, f64x2.splat(LN2_LOW));
  const r = f64x2.sub(t, c);
  const rLow = f64x2.add(f64x2.sub(f64x2.sub(t, r), c), delta);

  const r2 = f64x2.mul(r, r);
  const r4 = f64x2.mul(r2, r2);
  const r8 = f64x2.mul(r4, r4);
  const a0 = f64x2.add(f64x2.splat(1.0 / 2.0), f64x2.mul(r, f64x2.splat(1.0 / 6.0)));
  const a1 = f64x2.add(f64x2.splat(1.0 / 24.0), f64x2.mul(r, f64x2.splat(1.0 / 120.0)));
  const a2 = f64x2.add(f64x2.splat(1.0 / 720.0), f64x2.mul(r, f64x2.splat(1.0 / 5040.0)));
  const a3 = f64x2.add(f64x2.splat(1.0 / 40320.0), f64x2.mul(r, f64x2.splat(1.0 / 362880.0)));
  const a4 = f64x2.add(f64x2.splat(1.0 / 3628800.0), f64x2.mul(r, f64x2.splat(1.0 / 39916800.0)));
  const a5 = f64x2.add(f64x2.splat(1.0 / 479001600.0), f64x2.mul(r, f64x2.splat(1.0 / 6227020800.0)));
  const b0 = f64x2.add(a0, f64x2.mul(r2, a1));
  const b1 = f64x2.add(a2, f64x2.mul(r2, a3));
  const b2 = f64x2.add(a4, f64x2.mul(r2, a5));
  const q = f64x2.mul(r2, f64x2.add(b0, f64x2.add(f64x2.mul(r4, b1), f64x2.mul(r8, b2))));

  const one = f64x2.splat(1.0);
  const s = f64x2.add(one, r);
  const tail = f64x2.add(f64x2.sub(r, f64x2.sub(s, one)), q);
  const h = f64x2.add(s, tail);
  const l = f64x2.add(f64x2.sub(tail, f64x2.sub(h, s)), f64x2.mul(rLow, h));

  const scale = v128.and(i64x2.shl(i64x2.add(shifted, i64x2.splat(SCALE_EXPONENT + 1023)), 52), live);
  v128.store(high, f64x2.mul(h, scale));
  v128.store(low, f64x2.mul(l, scale));
}
