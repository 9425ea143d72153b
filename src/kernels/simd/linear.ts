// Products of rows with a matrix in two doubles each.

/** Stores x B for rows of features, each value rounded once; NaN if a sum is not finite. B is split, `work` as in storePairs. */
export function storeLinear(b: usize, classes: usize, features: usize, x: usize, rows: usize, out: usize, work: usize): void {
  const row = classes << 3;
  const bytes = features << 3;
  for (let r: usize = 0; r < rows; r += 2) {
    const second = r + 1 < rows ? x + bytes : x;
    storePairs(b, classes, features, x, second, work);
    const end = work + (r + 1 < rows ? 2 * row : row);
    for (let at = work; at < end; at += 8) {
      store<f64>(out, load<f64>(at) + load<f64>(at + 2 * row));
      out += 8;
    }
    x += 2 * bytes;
  }
}

/**
 * Stores x B of two rows in two doubles each (Ogita, Rump and Oishi's Dot2 with Dekker's products): two rows of sums, two of
 * their low parts, then work space for [features] x and halves as pairs. B is [classes, features] in three parts: b, its high and
 * its low half.
 */
export function storePairs(b: usize, classes: usize, features: usize, x0: usize, x1: usize, out: usize): void {
  const row = classes << 3;
  const halves = out + 4 * row;
  const splitter = f64x2.splat(134217729.0);
  for (let k: usize = 0; k < features; k++) {
    const x = v128.load64_lane(x1 + (k << 3), v128.load64_zero(x0 + (k << 3)), 1);
    const c = f64x2.mul(x, splitter);
    const high = f64x2.sub(c, f64x2.sub(c, x));
    const at = halves + k * 48;
    v128.store(at, x);
    v128.store(at, high, 16);
    v128.store(at, f64x2.sub(x, high), 32);
  }
  const part = classes * features << 3;
  for (let c: usize = 0; c < classes; c++) {
    let sum = f64x2.splat(0.0);
    let low = f64x2.splat(0.0);
    for (let k: usize = 0; k < features; k++) {
      const at = halves + k * 48;
      const x = v128.load(at);
      const xh = v128.load(at, 16);
      const xl = v128.load(at, 32);
      const bh = v128.load64_splat(b + part);
      const bl = v128.load64_splat(b + 2 * part);
      const product = f64x2.mul(x, v128.load64_splat(b));
      const error = f64x2.add(
        f64x2.add(f64x2.add(f64x2.sub(f64x2.mul(xh, bh), product), f64x2.mul(xh, bl)), f64x2.mul(xl, bh)),
        f64x2.mul(xl, bl),
      );
      const s = f64x2.add(sum, product);
      const bb = f64x2.sub(s, sum);
      const lost = f64x2.add(f64x2.sub(sum, f64x2.sub(s, bb)), f64x2.sub(product, bb));
      low = f64x2.add(low, f64x2.add(lost, error));
      sum = s;
      b += 8;
    }
    // The halves of factors beyond 2^996 overflow; then the sum alone is the logit.
    low = v128.and(low, f64x2.eq(f64x2.sub(low, low), f64x2.splat(0.0)));
    // A sum of finite features that overflows makes a bad row: -inf would mask the class.
    sum = f64x2.add(sum, f64x2.mul(sum, f64x2.splat(0.0)));
    v128.store64_lane(out + (c << 3), sum, 0);
    v128.store64_lane(out + row + (c << 3), sum, 1);
    v128.store64_lane(out + 2 * row + (c << 3), low, 0);
    v128.store64_lane(out + 3 * row + (c << 3), low, 1);
  }
}
