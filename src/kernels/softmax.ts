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

/** Views of a row's work area (layout in portable/work.ts). */
export interface WorkArea {
  /** Header as float64, from byte 0. */
  readonly header: Float64Array;
  readonly argmax: Int32Array;
  /** Pairs (high, low) of 2^(j/128). */
  readonly table: Float64Array;
  readonly p: Float64Array;
  readonly high: Float64Array;
  readonly low: Float64Array;
  readonly d: Float64Array;
  readonly delta: Float64Array;
}

/** Returns views of the work area at byte `address` of `buffer`. */
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
 * Computes the softmax of one row of logits into a work area, whose temperature T is set. The caller stores m/T.
 *
 * With m = max o, a = first argmax: d + delta = (o_k - m)/T exactly (two-difference, and remainder of the division),
 * e_k = exp(d + delta) in two doubles, tail = Σ e_k over k != a, compensated (Knuth), S = 1 + tail in two doubles, and
 * p_k = e_k/S with a first-order correction for the low parts. e, tail and S are scaled by 2^512 (see below).
 *
 * The error of p is within 1.2 ε: the roundings of the quotient and of the correction, and 0.15·2^-52 from exp and tail.
 *
 * @returns m, or NaN for a bad row (a NaN, a +inf, or only -inf), which leaves the work area unchanged
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
  // (o - m)/T as (o/2 - m/2)/(T/2), because o - m may overflow though the quotient does not.
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

/** Returns NaN if there is one, else the maximum; -inf for no values. */
function maximum(values: Float64Array | Float32Array): number {
  let m = -Infinity;
  for (const o of values) {
    if (o > m) m = o;
    else if (o !== o) return NaN;
  }
  return m;
}

/** Returns Σ high, rounded, and its rounding error plus Σ low. */
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

// exp(d + delta)·2^512 is computed as an unevaluated sum high + low, for d <= 0.
//
// Reduction with a table of 128 values: d + delta = n·ln 2/128 + r + rLow with |r| <= 0.00271. n·STEP_HIGH is exact
// (STEP_HIGH ends in 22 zero bits, |n| < 2^18), the subtraction is exact, and rLow is the rounding error of r plus delta.
// exp(r) - 1 = r + r²/2 + … + r⁵/120 (relative remainder below 2^-60). With n = 128 m + j the result is
// 2^m·2^(j/128)·exp(r), where 2^(j/128) is a pair from the table. low has the rounding errors of high, so the pair is within
// 0.02·2^-52 (relative) of the exact value. high alone is not: delta and rLow are only in low.
//
// The factor 2^512 keeps high normal for every d that matters (d > -1000), so that only the caller's final division rounds
// to subnormals. d <= -1000 gives exactly 0: its share of the sum is under 2^-1442.
//
// src/kernels/simd/exp.ts does the same operations in the same order, so that the bits agree.
const STEPS_PER_ONE = 184.6649652337873;
const STEP_HIGH = 0.00541521234481479;
const STEP_LOW = 3.309782317038503e-12;
/** 1.5·2^52: adding it rounds to the nearest integer (ties to even). */
const ROUND_MAGIC = 6755399441055744;
const EXP_FLOOR = -1000;
/** Factor of every value that storeScaledExp stores. */
const EXP_SCALE = 2 ** 512;

const bits = new DataView(new ArrayBuffer(8));
function powerOfTwo(exponent: number): number {
  bits.setUint32(0, (exponent + 1023) << 20);
  return bits.getFloat64(0);
}

/** Stores exp(d + delta)·2^512 to `high[at]` and `low[at]`; `table` has pairs (high, low) of 2^(j/128). */
function storeScaledExp(
  d: number,
  delta: number,
  table: Float64Array,
  high: Float64Array,
  low: Float64Array,
  at: number,
): void {
  if (!(d > EXP_FLOOR)) {
    high[at] = 0;
    low[at] = 0;
    return;
  }
  const n = d * STEPS_PER_ONE + ROUND_MAGIC - ROUND_MAGIC;
  const t = d - n * STEP_HIGH;
  const c = n * STEP_LOW;
  const r = t - c;
  const rLow = t - r - c + delta;

  const r2 = r * r;
  const a0 = 1 / 2 + r * (1 / 6);
  const a1 = 1 / 24 + r * (1 / 120);
  const p = r + r2 * (a0 + r2 * a1);

  const j = n & 127;
  const root = table[2 * j] as number;
  const part = root * p;
  const h = root + part;
  const l = part - (h - root) + ((table[2 * j + 1] as number) + rLow * h);
  const scale = powerOfTwo(Math.floor(n / 128) + 512);
  high[at] = h * scale;
  low[at] = l * scale;
}
