// Scaled exp in two doubles. src/kernels/softmax.ts derives it and does the same operations in the same order, so that the
// bits agree.
//
// Constants are loaded from memory, because engines rebuild literals in every iteration, with three instructions each.
import { EXP_TABLE } from "../portable/work.js";

@inline const SCALE_EXPONENT: i64 = 512;

/** Stores the constants that storeScaledExp reads. */
export function storeExpConstants(constants: usize): void {
  store<f64>(constants, -1000.0, 0); // at most this: exactly 0
  store<f64>(constants, 184.6649652337873, 8); // 128/ln 2
  store<f64>(constants, 6755399441055744.0, 16); // 1.5·2^52: adding it rounds to an integer
  store<f64>(constants, 0.00541521234481479, 24); // ln 2/128, high
  store<f64>(constants, 3.309782317038503e-12, 32); // ln 2/128, low
  store<f64>(constants, 1.0 / 2.0, 40);
  store<f64>(constants, 1.0 / 6.0, 48);
  store<f64>(constants, 1.0 / 24.0, 56);
  store<f64>(constants, 1.0 / 120.0, 64);
  store<i64>(constants, SCALE_EXPONENT + 1023, 72);
}

/** Stores exp(d + delta)·2^512 as two f64x2 `high` and `low`; exactly 0 in lanes with d <= -1000. */
@inline
export function storeScaledExp(
  d: v128, delta: v128, work: usize, constants: usize, high: usize, low: usize,
): void {
  const floor = v128.load64_splat(constants, 0);
  const live = f64x2.gt(d, floor);
  d = f64x2.pmax(floor, d);
  delta = v128.and(delta, live);

  const magic = v128.load64_splat(constants, 16);
  const shifted = f64x2.add(f64x2.mul(d, v128.load64_splat(constants, 8)), magic);
  const first = v128.load(work + (<usize>(<i32>i64x2.extract_lane(shifted, 0) & 127) << 4), EXP_TABLE);
  const second = v128.load(work + (<usize>(<i32>i64x2.extract_lane(shifted, 1) & 127) << 4), EXP_TABLE);
  const n = f64x2.sub(shifted, magic);
  const t = f64x2.sub(d, f64x2.mul(n, v128.load64_splat(constants, 24)));
  const c = f64x2.mul(n, v128.load64_splat(constants, 32));
  const r = f64x2.sub(t, c);
  const rLow = f64x2.add(f64x2.sub(f64x2.sub(t, r), c), delta);

  const r2 = f64x2.mul(r, r);
  const a0 = f64x2.add(v128.load64_splat(constants, 40), f64x2.mul(r, v128.load64_splat(constants, 48)));
  const a1 = f64x2.add(v128.load64_splat(constants, 56), f64x2.mul(r, v128.load64_splat(constants, 64)));
  const p = f64x2.add(r, f64x2.mul(r2, f64x2.add(a0, f64x2.mul(r2, a1))));

  const root = v128.shuffle<f64>(first, second, 0, 2);
  const rootLow = v128.shuffle<f64>(first, second, 1, 3);
  const part = f64x2.mul(root, p);
  const h = f64x2.add(root, part);
  const l = f64x2.add(f64x2.sub(part, f64x2.sub(h, root)), f64x2.add(rootLow, f64x2.mul(rLow, h)));

  const exponent = i64x2.add(i64x2.shr_u(shifted, 7), v128.load64_splat(constants, 72));
  const scale = v128.and(i64x2.shl(exponent, 52), live);
  v128.store(high, f64x2.mul(h, scale));
  v128.store(low, f64x2.mul(l, scale));
}
