const GOLDEN = (3 - Math.sqrt(5)) / 2;
const MOST_STEPS = 200;

/**
 * Where a function of one variable is least between `low` and `high`, to `tolerance`: golden sections, and parabolas where
 * they do better (Brent, "Algorithms for Minimization without Derivatives", 1973, chapter 5). Of a function that falls and
 * then rises the one minimum; an end of the range where it only falls or rises.
 */
export function brentMinimum(
  f: (x: number) => number,
  low: number,
  high: number,
  tolerance: number,
): number {
  let [a, b] = [low, high];
  let x = a + GOLDEN * (b - a);
  let [w, v] = [x, x];
  let fx = f(x);
  let [fw, fv] = [fx, fx];
  /** The last step, and the one before it. */
  let [step, before] = [0, 0];
  for (let n = 0; n < MOST_STEPS; n++) {
    const middle = (a + b) / 2;
    if (Math.abs(x - middle) + (b - a) / 2 <= 2 * tolerance) break;
    // The parabola through x, w and v.
    const r = (x - w) * (fx - fv);
    let q = (x - v) * (fx - fw);
    let p = (x - v) * q - (x - w) * r;
    q = 2 * (q - r);
    if (q > 0) p = -p;
    else q = -q;
    const isShrinking = Math.abs(p) < Math.abs((q * before) / 2);
    before = step;
    if (isShrinking && p > q * (a - x) && p < q * (b - x)) {
      step = p / q;
      const u = x + step;
      if (u - a < 2 * tolerance || b - u < 2 * tolerance)
        step = x < middle ? tolerance : -tolerance;
    } else {
      before = (x < middle ? b : a) - x;
      step = GOLDEN * before;
    }
    const u =
      x + (Math.abs(step) >= tolerance ? step : Math.sign(step) * tolerance);
    const fu = f(u);
    if (fu <= fx) {
      if (u < x) b = x;
      else a = x;
      [v, fv, w, fw, x, fx] = [w, fw, x, fx, u, fu];
      continue;
    }
    if (u < x) a = u;
    else b = u;
    if (fu <= fw || w === x) [v, fv, w, fw] = [w, fw, u, fu];
    else if (fu <= fv || v === x || v === w) [v, fv] = [u, fu];
  }
  return x;
}
