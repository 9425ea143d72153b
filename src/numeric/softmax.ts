import { EXP_SCALE, storeScaledExp } from "./exp.js";
import {
  errorOfProduct,
  errorOfSum,
  TAIL,
  TAIL_LOW,
  TEMPERATURE,
  TOTAL,
  TOTAL_LOW,
  WINNER,
} from "./portable/work.js";
import type { WorkArea } from "./work-area.js";

/**
 * Softmax of one row of logits into a work area, whose temperature T is set; the header's m/T is left to the caller.
 *
 * With m = max o, a = first argmax: d + delta = (o_k - m)/T exactly (two-difference, and the division's remainder),
 * e_k = exp(d + delta) in two doubles, tail = sum over k != a of e_k compensated in two lanes (even k, odd k),
 * S = 1 + tail in two doubles, and p_k = e_k/S with a first-order correction for the low parts. Everything is scaled by
 * 2^512 (see exp.ts).
 *
 * Error of p: the quotient's rounding, the correction's rounding, and 0.15 of 2^-52 from exp and tail: within 1.2 ε.
 *
 * @returns m, or NaN for a bad row (a NaN, a +inf, or nothing but -inf), which leaves the work area as it was.
 */
export function softmaxRow(
  logits: Float64Array | Float32Array,
  work: WorkArea,
): number {
  const { header, high, low, p } = work;
  const classes = logits.length;
  const m = maximum(logits);
  if (!Number.isFinite(m)) return Number.NaN;
  const a = logits.indexOf(m);
  const temperature = header[TEMPERATURE / 8] as number;
  // (o - m)/T as (o/2 - m/2)/(T/2): with T beside it, a difference beyond float64 may give a quotient within it.
  const half = temperature === 1 ? 1 : 0.5;

  for (let k = 0; k < high.length; k++) {
    const o = (k < classes ? (logits[k] as number) : -Infinity) * half;
    let d = o - m * half;
    const bb = d - o;
    let delta = o - (d - bb) + (-m * half - bb);
    if (temperature !== 1) {
      const t = temperature * half;
      const quotient = d / t;
      const product = quotient * t;
      const error = errorOfProduct(quotient, t, product);
      delta = (delta + (d - product - error)) / t;
      d = quotient;
    }
    work.d[k] = d;
    work.delta[k] = delta;
    storeScaledExp(d, delta, high, low, k);
  }

  high[a] = 0;
  low[a] = 0;
  const even = laneSum(high, low, 0);
  const odd = laneSum(high, low, 1);
  const tail = even.sum + odd.sum;
  const tailLow = errorOfSum(even.sum, odd.sum, tail) + (even.lost + odd.lost);

  const S = EXP_SCALE + tail;
  const SLow = errorOfSum(EXP_SCALE, tail, S) + tailLow;
  const c = SLow / S;
  const inverse = 1 / S;
  for (let k = 0; k < p.length; k++) {
    const e = k === a ? EXP_SCALE : (high[k] as number);
    p[k] = e / S + ((low[k] as number) - e * c) * inverse;
  }
  header[WINNER / 8] = tail / S + (tailLow - tail * c) * inverse;
  work.argmax[0] = a;
  header[TAIL / 8] = tail;
  header[TAIL_LOW / 8] = tailLow;
  header[TOTAL / 8] = S;
  header[TOTAL_LOW / 8] = c;
  return m;
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
    const e = high[k] as number;
    const s = sum + e;
    lost += errorOfSum(sum, e, s) + (low[k] as number);
    sum = s;
  }
  return { sum, lost };
}
