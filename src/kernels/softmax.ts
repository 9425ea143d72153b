import { diagonal, scaledPair, scaledProduct } from "./portable/entries.js";
import {
  leading26,
  loadF32,
  loadF64,
  loadI32,
  storeF64,
  storeI32,
} from "./portable/machine.js";
import {
  ARGMAX,
  clearHeader,
  EXP_TABLE,
  errorOfProduct,
  errorOfSum,
  HEADER,
  PAIR_UNSCALE,
  paddedClasses,
  ROOT,
  ROOT_LOW,
  SCALE,
  SMALLEST,
  storePeak,
  TAIL,
  TAIL_LOW,
  TEMPERATURE,
  TOTAL,
  TOTAL_LOW,
  UNIT,
  UNIT_LOW,
  vectorAt,
  WINNER,
} from "./portable/work.js";

/**
 * Computes the softmax of the row of logits at `source` into a work area, whose temperature T is set.
 *
 * With m = max o, a = first argmax: d + delta = (o_k - m)/T exactly (two-difference, and remainder of the division),
 * e_k = exp(d + delta) in two doubles, tail = Σ e_k over k != a, compensated (Knuth), S = 1 + tail in two doubles, and
 * p_k = e_k/S in two doubles, of which the first has 26 bits (see storeQuotients). e, tail and S are scaled by 2^512.
 *
 * The relative error of each pair is within 0.01 ε (docs/numerics.md); p is the sum of its pair, rounded once.
 *
 * @returns false for a bad row (a NaN, a +inf, or only -inf), every p of which is 0
 */
export function softmaxRow(
  source: number,
  float32: boolean,
  classes: number,
  work: number,
): boolean {
  const logitAt = (k: number) =>
    float32 ? loadF32(source + 4 * k) : loadF64(source + 8 * k);
  let m = -Infinity;
  let a = 0;
  for (let k = 0; k < classes && !Number.isNaN(m); k++) {
    const o = logitAt(k);
    if (o <= m) continue;
    m = o;
    a = k;
  }
  if (!Number.isFinite(m)) {
    clearHeader(work);
    for (let k = 0; k < classes; k++) storeF64(work + HEADER + 8 * k, 0);
    return false;
  }

  const temperature = loadF64(work + TEMPERATURE);
  // (o - m)/T as (o/2 - m/2)/(T/2), because o - m may overflow though the quotient does not.
  const half = temperature === 1 ? 1 : 0.5;
  const high = vectorAt(work, classes, 1);
  const low = vectorAt(work, classes, 2);
  let tail = 0;
  let tailLow = 0;
  for (let k = 0; k < classes; k++) {
    const o = logitAt(k) * half;
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
    storeF64(vectorAt(work, classes, 3) + 8 * k, d);
    storeF64(vectorAt(work, classes, 4) + 8 * k, delta);
    storeScaledExp(d, delta, work + EXP_TABLE, high + 8 * k, low + 8 * k);
    if (k === a) {
      storeF64(high + 8 * k, 0);
      storeF64(low + 8 * k, 0);
    }
    const e = loadF64(high + 8 * k);
    const sum = tail + e;
    tailLow += errorOfSum(tail, e, sum) + loadF64(low + 8 * k);
    tail = sum;
  }

  // As a pair: of many classes, tailLow may be many ulp of tail.
  const rounded = tail + tailLow;
  tailLow -= rounded - tail;
  tail = rounded;
  const S = SCALE + tail;
  const SLow = errorOfSum(SCALE, tail, S) + tailLow;
  storeI32(work + ARGMAX, a);
  storeF64(work + TAIL, tail);
  storeF64(work + TAIL_LOW, tailLow);
  storeF64(work + TOTAL, S);
  storeF64(work + TOTAL_LOW, SLow / S);
  storePeak(work, m);
  if (temperature === 1) storeQuotients(work, classes, S, SLow, true, true);
  else {
    storeQuotients(work, classes, S, SLow, true, false);
    storeQuotients(work, classes, S, SLow, false, true);
  }
  return true;
}

/**
 * Divides each e_k, and the tail, by S. With `p`, stores p_k and 1 - p_a; with `pairs`, stores the pairs P_k = p_k·2^256/√T
 * and the diagonal of J, which for a is the product of P_a and (1 - p_a)·2^256/√T.
 *
 * D = S·√T·2^-256 in two doubles, the high one in two parts. high = e/D, cut to 26 bits, so that the products of high and the
 * two parts, and the first difference below, are exact; low = (e - high·D)/D is then within 2^-75 of e/D.
 */
function storeQuotients(
  work: number,
  classes: number,
  S: number,
  SLow: number,
  p: boolean,
  pairs: boolean,
): void {
  const root = pairs ? loadF64(work + ROOT) : PAIR_UNSCALE;
  const rootLow = pairs ? loadF64(work + ROOT_LOW) : 0;
  const D = S * root;
  const DLow = errorOfProduct(S, root, D) + (S * rootLow + SLow * root);
  const first = leading26(D);
  const second = D - first;
  const inverse = 1 / D;
  const highOf = (e: number) => leading26(e * inverse);
  const negatedLowOf = (e: number, eLow: number, high: number) =>
    (high * first - e + high * second + (high * DLow - eLow)) * inverse;
  const a = loadI32(work + ARGMAX);
  const unit = loadF64(work + UNIT);
  const unitLow = loadF64(work + UNIT_LOW);
  let smallest = Infinity;
  for (let k = 0; k < classes; k++) {
    const e = k === a ? SCALE : loadF64(vectorAt(work, classes, 1) + 8 * k);
    const eLow = loadF64(vectorAt(work, classes, 2) + 8 * k);
    const high = highOf(e);
    const low = negatedLowOf(e, eLow, high);
    if (p) storeF64(work + HEADER + 8 * k, scaledPair(high, low));
    if (!pairs) continue;
    const middle = high - 0.5 * low;
    storeF64(vectorAt(work, classes, 7) + 8 * k, high);
    storeF64(vectorAt(work, classes, 8) + 8 * k, low);
    storeF64(vectorAt(work, classes, 9) + 8 * k, middle);
    if (high !== 0 && high < smallest) smallest = high;
    storeF64(
      vectorAt(work, classes, 10) + 8 * k,
      diagonal(high, low, middle, unit, unitLow),
    );
  }
  const tail = loadF64(work + TAIL);
  const high = highOf(tail);
  const low = negatedLowOf(tail, loadF64(work + TAIL_LOW), high);
  if (p) storeF64(work + WINNER, scaledPair(high, low));
  if (!pairs) return;
  storeF64(work + SMALLEST, smallest);
  const own = vectorAt(work, classes, 7) + 8 * a;
  const ownLow = loadF64(own + 8 * paddedClasses(classes));
  const small =
    loadF64(own + 16 * paddedClasses(classes)) * low +
    ownLow * (high - 0.5 * low);
  storeF64(
    vectorAt(work, classes, 10) + 8 * a,
    scaledProduct(loadF64(own) * high, small),
  );
}

// exp(d + delta)·2^512 is computed as an unevaluated sum high + low, for d <= 0.
//
// Reduction with a table of 128 values: d + delta = n·ln 2/128 + r + rLow with |r| <= 0.00271. n·STEP_HIGH is exact
// (STEP_HIGH ends in 22 zero bits, |n| < 2^18), the subtraction is exact, and rLow is the rounding error of r plus delta.
// exp(r) - 1 = r + r²/2 + … + r⁵/120 (relative remainder below 2^-60). With n = 128 m + j the result is
// 2^m·2^(j/128)·exp(r), where 2^(j/128) is a pair from the table. low has the rounding errors of high, so the pair is within
// 0.005·2^-52 (relative) of the exact value. high alone is not: delta and rLow are only in low.
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

const bits = new DataView(new ArrayBuffer(8));
function powerOfTwo(exponent: number): number {
  bits.setUint32(0, (exponent + 1023) << 20);
  return bits.getFloat64(0);
}

/** Stores exp(d + delta)·2^512 to `high` and `low`; `table` has pairs (high, low) of 2^(j/128). */
function storeScaledExp(
  d: number,
  delta: number,
  table: number,
  high: number,
  low: number,
): void {
  if (!(d > EXP_FLOOR)) {
    storeF64(high, 0);
    storeF64(low, 0);
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

  const pair = table + 16 * (n & 127);
  const root = loadF64(pair);
  const part = root * p;
  const h = root + part;
  const l = part - (h - root) + (loadF64(pair + 8) + rLow * h);
  const scale = powerOfTwo(Math.floor(n / 128) + 512);
  storeF64(high, h * scale);
  storeF64(low, l * scale);
}
