import { EXP_SCALE, storeScaledExp } from "./exp.js";
import type { WorkArea } from "./work-area.js";

/**
 * Softmax of one row of logits into a work area.
 *
 * With m = max o, a = first argmax: d + delta = o_k - m exactly (two-difference), e_k = exp(d + delta) in two doubles,
 * tail = sum over k != a of e_k compensated in two lanes (even k, odd k), S = 1 + tail in two doubles, and
 * p_k = e_k/S with a first-order correction for the low parts. Everything is scaled by 2^512 (see exp.ts).
 *
 * Error of p: the quotient's rounding, the correction's rounding, and 0.15 of 2^-52 from exp and tail: within 1.2 ε.
 *
 * @returns false for a bad row (a NaN, a +inf, or nothing but -inf); the work area is then cleared.
 */
export function softmaxRow(
  logits: Float64Array | Float32Array,
  work: WorkArea,
): boolean {
  const { high, low, p } = work;
  const classes = logits.length;
  const m = maximum(logits);
  if (!Number.isFinite(m)) {
    work.winner[0] = 0;
    work.argmax[0] = 0;
    p.fill(0);
    return false;
  }
  const a = logits.indexOf(m);

  for (let k = 0; k < high.length; k++) {
    const o = k < classes ? (logits[k] as number) : -Infinity;
    const d = o - m;
    const bb = d - o;
    const delta = o - (d - bb) + (-m - bb);
    storeScaledExp(d, delta, high, low, k);
  }

  high[a] = 0;
  const even = laneSum(high, low, 0);
  const odd = laneSum(high, low, 1);
  high[a] = EXP_SCALE;
  const [tail, rounded] = twoSum(even.sum, odd.sum);
  const tailLow = rounded + (even.lost + odd.lost);

  const [S, lost] = twoSum(EXP_SCALE, tail);
  const SLow = lost + tailLow;
  const c = SLow / S;
  const inverse = 1 / S;
  for (let k = 0; k < p.length; k++) {
    const e = high[k] as number;
    p[k] = e / S + ((low[k] as number) - e * c) * inverse;
  }
  work.winner[0] = tail / S + (tailLow - tail * c) * inverse;
  work.argmax[0] = a;
  return true;
}

/** NaN if there is one, else the largest; -inf for no values. */
function maximum(values: Float64Array | Float32Array): number {
  let m = -Infinity;
  for (const o of values) {
    if (o > m) m = o;
    else if (o !== o) return NaN;
  }
  return m;
}

/** Compensated sum (Knuth's two-sum) of every second value from `start`; `lost` holds the low parts too. */
function laneSum(
  high: Float64Array,
  low: Float64Array,
  start: number,
): { sum: number; lost: number } {
  let sum = 0;
  let lost = 0;
  for (let k = start; k < high.length; k += 2) {
    const [s, rounded] = twoSum(sum, high[k] as number);
    lost += rounded + (low[k] as number);
    sum = s;
  }
  return { sum, lost };
}

/** a + b as a rounded sum and its exact rounding error (Knuth). */
function twoSum(a: number, b: number): [sum: number, error: number] {
  const s = a + b;
  const bb = s - a;
  return [s, a - (s - bb) + (b - bb)];
}
