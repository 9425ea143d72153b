// exp in two doubles, scaled. The numbers are derived in src/numeric/exp.ts, which does the same operations in the
// same order; the two agree bit for bit.
//
// Its constants are read from a table in memory, one load each: as literals, engines build each of them anew in every
// turn of the loop, three instructions each, and there are twenty: an eighth of a softmax's time.

// @ts-ignore: decorator
@inline const SCALE_EXPONENT: i64 = 512;

/** Writes the table to `table`; whoever calls storeScaledExp has called this before. */
export function storeExpTable(table: usize): void {
  store<f64>(table, -1000.0, 0); // under this, exactly 0
  store<f64>(table, 1.4426950408889634, 8); // 1/ln 2
  store<f64>(table, 6755399441055744.0, 16); // 1.5·2^52: adding it rounds to an integer
  store<f64>(table, 6.93147180369123816490e-01, 24); // ln 2, high
  store<f64>(table, 1.90821492927058770002e-10, 32); // ln 2, low
  store<f64>(table, 1.0, 40);
  let factorial = 1.0;
  for (let n: usize = 2; n <= 13; n++) {
    factorial *= <f64>n;
    store<f64>(table + (n << 3), 1.0 / factorial, 32); // 1/2! at 48 to 1/13! at 136
  }
  store<i64>(table, SCALE_EXPONENT + 1023, 144);
}

/** Stores exp(d + delta)·2^512 as two f64x2, `high` and `low`; lanes with d <= -1000 or out of `wanted` give exactly 0. */
// @ts-ignore: decorator
@inline
export function storeScaledExp(d: v128, delta: v128, wanted: v128, table: usize, high: usize, low: usize): void {
  const floor = v128.load64_splat(table, 0);
  const live = v128.and(f64x2.gt(d, floor), wanted);
  d = f64x2.pmax(floor, d);
  delta = v128.and(delta, live);

  const magic = v128.load64_splat(table, 16);
  const shifted = f64x2.add(f64x2.mul(d, v128.load64_splat(table, 8)), magic);
  const n = f64x2.sub(shifted, magic);
  const t = f64x2.sub(d, f64x2.mul(n, v128.load64_splat(table, 24)));
  const c = f64x2.mul(n, v128.load64_splat(table, 32));
  const r = f64x2.sub(t, c);
  const rLow = f64x2.add(f64x2.sub(f64x2.sub(t, r), c), delta);

  const r2 = f64x2.mul(r, r);
  const r4 = f64x2.mul(r2, r2);
  const r8 = f64x2.mul(r4, r4);
  const a0 = f64x2.add(v128.load64_splat(table, 48), f64x2.mul(r, v128.load64_splat(table, 56)));
  const a1 = f64x2.add(v128.load64_splat(table, 64), f64x2.mul(r, v128.load64_splat(table, 72)));
  const a2 = f64x2.add(v128.load64_splat(table, 80), f64x2.mul(r, v128.load64_splat(table, 88)));
  const a3 = f64x2.add(v128.load64_splat(table, 96), f64x2.mul(r, v128.load64_splat(table, 104)));
  const a4 = f64x2.add(v128.load64_splat(table, 112), f64x2.mul(r, v128.load64_splat(table, 120)));
  const a5 = f64x2.add(v128.load64_splat(table, 128), f64x2.mul(r, v128.load64_splat(table, 136)));
  const b0 = f64x2.add(a0, f64x2.mul(r2, a1));
  const b1 = f64x2.add(a2, f64x2.mul(r2, a3));
  const b2 = f64x2.add(a4, f64x2.mul(r2, a5));
  const q = f64x2.mul(r2, f64x2.add(b0, f64x2.add(f64x2.mul(r4, b1), f64x2.mul(r8, b2))));

  const one = v128.load64_splat(table, 40);
  const s = f64x2.add(one, r);
  const tail = f64x2.add(f64x2.sub(r, f64x2.sub(s, one)), q);
  const h = f64x2.add(s, tail);
  const l = f64x2.add(f64x2.sub(tail, f64x2.sub(h, s)), f64x2.mul(rLow, h));

  const scale = v128.and(i64x2.shl(i64x2.add(shifted, v128.load64_splat(table, 144)), 52), live);
  v128.store(high, f64x2.mul(h, scale));
  v128.store(low, f64x2.mul(l, scale));
}
