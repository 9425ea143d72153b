// Products of the vectors of up to 64 rows with the features, their squares or x xᵀ, and their addition to accumulators.
import { addValues } from "./accumulator";
import { GROUP_HEADER, Plan, RUN } from "./sums-plan";

/** Stores the squares of x of all rows of the tile. */
export function storeSquares(p: Plan, rows: i32): void {
  for (let r: usize = 0; r < <usize>rows; r++) {
    const x = p.tileX + (r * p.featureStride << 3);
    const out = p.factors + (r * p.factorStride << 3);
    for (let k: usize = 0; k < <usize>p.features; k++) {
      const value = load<f64>(x + (k << 3));
      store<f64>(out + (k << 3), value * value);
    }
  }
}

/** Stores x_i·x_j for first <= i < end and j >= i of all rows of the tile. */
export function storeProducts(p: Plan, rows: i32, first: i32, end: i32): void {
  const features = <usize>p.features;
  for (let r: usize = 0; r < <usize>rows; r++) {
    const x = p.tileX + (r * p.featureStride << 3);
    let out = p.factors + (r * p.factorStride << 3);
    for (let i = <usize>first; i < <usize>end; i++) {
      const two = v128.load64_splat(x + (i << 3));
      // The row of features is padded to an even number; what is stored beyond its end is overwritten, or padding.
      for (let j = i; j < features; j += 2) v128.store(out + (j - i << 3), f64x2.mul(two, v128.load(x + (j << 3))));
      out += features - i << 3;
    }
  }
}

/**
 * Stores products[v, k] = Σ a[r, v]·b[r, k] in runs of 8 rows, for 4 values of a and 4 or 2 of b at a time; with `isTriangle`
 * those with k >= v. The rows of both are padded; the padding of the products means nothing.
 */
export function multiply(
  p: Plan, a: usize, values: i32, b: usize, bStride: i32, count: i32, rows: i32, isTriangle: bool = false,
): void {
  const aBytes = <usize>p.tileStride << 3;
  const bBytes = <usize>bStride << 3;
  const outBytes = <usize>p.productStride << 3;
  for (let v = 0; v < values; v += 4) {
    const at = a + (<usize>v << 3);
    const out = p.products + <usize>v * outBytes;
    let k = isTriangle ? v : 0;
    for (; k + 2 < count; k += 4) multiplyTile(at, aBytes, b + (<usize>k << 3), bBytes, out + (<usize>k << 3), outBytes, rows, true);
    if (k < count) multiplyTile(at, aBytes, b + (<usize>k << 3), bBytes, out + (<usize>k << 3), outBytes, rows, false);
  }
}

/** Stores 4 x 4 products, or 4 x 2; the sum of a run is in registers, and that of all runs in the products. */
@inline
function multiplyTile(at: usize, aBytes: usize, bt: usize, bBytes: usize, out: usize, outBytes: usize, rows: i32, isWide: bool): void {
  for (let r = 0; r < rows; r += RUN) {
    let b0 = v128.load(bt), b1 = isWide ? v128.load(bt, 16) : b0;
    let one = v128.load64_splat(at);
    let s00 = f64x2.mul(one, b0), s01 = isWide ? f64x2.mul(one, b1) : b0;
    one = v128.load64_splat(at, 8);
    let s10 = f64x2.mul(one, b0), s11 = isWide ? f64x2.mul(one, b1) : b0;
    one = v128.load64_splat(at, 16);
    let s20 = f64x2.mul(one, b0), s21 = isWide ? f64x2.mul(one, b1) : b0;
    one = v128.load64_splat(at, 24);
    let s30 = f64x2.mul(one, b0), s31 = isWide ? f64x2.mul(one, b1) : b0;
    at += aBytes;
    bt += bBytes;
    for (let left = min(rows - r, RUN) - 1; left > 0; left--) {
      b0 = v128.load(bt);
      if (isWide) b1 = v128.load(bt, 16);
      one = v128.load64_splat(at);
      s00 = f64x2.add(s00, f64x2.mul(one, b0));
      if (isWide) s01 = f64x2.add(s01, f64x2.mul(one, b1));
      one = v128.load64_splat(at, 8);
      s10 = f64x2.add(s10, f64x2.mul(one, b0));
      if (isWide) s11 = f64x2.add(s11, f64x2.mul(one, b1));
      one = v128.load64_splat(at, 16);
      s20 = f64x2.add(s20, f64x2.mul(one, b0));
      if (isWide) s21 = f64x2.add(s21, f64x2.mul(one, b1));
      one = v128.load64_splat(at, 24);
      s30 = f64x2.add(s30, f64x2.mul(one, b0));
      if (isWide) s31 = f64x2.add(s31, f64x2.mul(one, b1));
      at += aBytes;
      bt += bBytes;
    }
    putRun(out, s00, s01, r == 0, isWide);
    putRun(out + outBytes, s10, s11, r == 0, isWide);
    putRun(out + 2 * outBytes, s20, s21, r == 0, isWide);
    putRun(out + 3 * outBytes, s30, s31, r == 0, isWide);
  }
}

/** Adds the sums of a run to those of the runs before it. */
@inline
function putRun(out: usize, low: v128, high: v128, isFirst: bool, isWide: bool): void {
  v128.store(out, isFirst ? low : f64x2.add(v128.load(out), low));
  if (isWide) v128.store(out, isFirst ? high : f64x2.add(v128.load(out, 16), high), 16);
}

/**
 * Adds the matrix of products [rows, count] to sums of the group at `base`, whose rows are `sumStride` apart from sum `sum` on.
 * Returns false if a value is not finite.
 */
export function addProducts(p: Plan, base: usize, sum: i32, rows: i32, count: i32, sumStride: i32): bool {
  let finite = true;
  let row = p.products;
  for (let v = 0; v < rows; v++) {
    finite = addValues(base + GROUP_HEADER, <usize>sum, row, <usize>count) && finite;
    sum += sumStride;
    row += <usize>p.productStride << 3;
  }
  return finite;
}

/** Packs the upper triangle of the products [rows, rows], row by row, in place, with the diagonal from `diagonal`. */
export function packTriangle(p: Plan, rows: i32, diagonal: usize): void {
  const stride = <usize>p.productStride << 3;
  let from = p.products;
  let out = from;
  for (let count = <usize>rows; count > 0; count--) {
    store<f64>(from, load<f64>(diagonal));
    // The last vector may store one value too many, which the next row overwrites.
    for (let k: usize = 0; k < count << 3; k += 16) v128.store(out + k, v128.load(from + k));
    diagonal += 8;
    out += count << 3;
    from += stride + 8;
  }
}
