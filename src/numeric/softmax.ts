import { EXP_SCALE, storeScaledExp } from "./exp.js";
import {
  EXP_TABLE,
  errorOfProduct,
  errorOfSum,
  TAIL,
  TAIL_LOW,
  TEMPERATURE,
  TOTAL,
  TOTAL_LOW,
  vectorAt,
  WINNER,
} from "./portable/work.js";

/** A row's work area (laid out in portable/work.ts) as arrays; the header as float64 from byte 0. */
export interface WorkArea {
  readonly header: Float64Array;
  readonly argmax: Int32Array;
  /** 2^(j/128), high and low in turn. */
  readonly table: Float64Array;
  readonly p: Float64Array;
  readonly high: Float64Array;
  readonly low: Float64Array;
  readonly d: Float64Array;
  readonly delta: Float64Array;
}

/** The work area at byte `address` of `buffer`. */
export function workAreaAt(
  buffer: ArrayBufferLike,
  address: number,
  classes: number,
): WorkArea {
  const vector = (n: number) =>
    new Float64Array(buffer, vectorAt(address, classes, n), classes);
  return {
    header: new Float64Array(buffer, address, EXP_TABLE / 8),
    argmax: new Int32Array(buffer, address + 8, 1),
    table: new Float64Array(buffer, address + EXP_TABLE, 256),
    p: vector(0),
    high: vector(1),
    low: vector(2),
    d: vector(3),
    delta: vector(4),
  };
}

/**
 * Softmax of one row of logits into a work area, whose temperature T is set; the header's m/T is left to the caller.
 *
 * With m = max o, a = first argmax: d + delta = (o_k - m)/T exactly (two-difference, and the division's remainder),
 * e_k = exp(d + delta) in two doubles, tail = sum over k != a of e_k compensated (Knuth),
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
  const { header, table, high, low, p } = work;
  const classes = logits.length;
  const m = maximum(logits);
  if (!Number.isFinite(m)) return Number.NaN;
  const a = logits.indexOf(m);
  const temperature = header[TEMPERATURE / 8] as number;
  // (o - m)/T as (o/2 - m/2)/(T/2): with T beside it, a difference beyond float64 may give a quotient within it.
  const half = temperature === 1 ? 1 : 0.5;

  for (let k = 0; k < classes; k++) {
    const o = (logits[k] as number) * half;
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
    storeScaledExp(d, delta, table, high, low, k);
  }

  high[a] = 0;
  low[a] = 0;
  const { tail, tailLow } = compensatedSum(high, low);

  const S = EXP_SCALE + tail;
  const SLow = errorOfSum(EXP_SCALE, tail, S) + tailLow;
  const c = SLow / S;
  const inverse = 1 / S;
  for (let k = 0; k < classes; k++) {
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

/** Σ high, rounded, and what that has lost; the low parts go there too. */
function compensatedSum(
  high: Float64Array,
  low: Float64Array,
): { tail: number; tailLow: number } {
  let tail = 0;
  let tailLow = 0;
  for (let k = 0; k < high.length; k++) {
    const e = high[k] as number;
    const s = tail + e;
    tailLow += errorOfSum(tail, e, s) + (low[k] as number);
    tail = s;
  }
  return { tail, tailLow };
}
