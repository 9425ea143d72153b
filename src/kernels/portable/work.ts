import { leading26, loadF64, loadI32, storeF64, storeI32 } from "./machine.js";

// The work area: one row's softmax, from which its results are computed. m = max o, a = first argmax, T = temperature,
// d + delta = (o_k - m)/T, e_k = exp(d + delta)·2^512 in two doubles, W = classes rounded up to even.
//
//   0    tail/S = 1 - p_a                 f64     64   constants of exp (SIMD kernel)       f64[10]
//   8    a                                i32     144  smallest P high that is not 0        f64
//   16   tail·2^512, high and low         f64[2]  152  2^256/√T, high and low               f64[2]
//   32   S·2^512, high; low/high          f64[2]  168  √T·2^-256, high and low              f64[2]
//   48   log(S) = log1p(tail), high, low  f64[2]  224  T                                    f64
//                                                 232  m/T, high and low                    f64[2]
//
//   256  table of exp                     f64[256]
//   2304 p; e high (0 for a); e low; d; delta; two vectors of temporary values; P high; -P low; P high + low/2; J_kk:
//        f64[W] each
//
// P_k = p_k·2^256/√T is the factor of the entries: J_ij = -P_i P_j·2^-512 for i != j. Its high part has 26 bits, so that the
// product of two of them is exact; the scale keeps all factors and products normal. The last vector makes P_i P_j symmetric:
// high_i·high_j + (middle_i·low_j + low_i·middle_j), in which middle = high + low/2.

export const WINNER: usize = 0;
export const ARGMAX: usize = 8;
export const TAIL: usize = 16;
export const TAIL_LOW: usize = 24;
export const TOTAL: usize = 32;
export const TOTAL_LOW: usize = 40;
export const LOG: usize = 48;
export const LOG_LOW: usize = 56;
export const EXP_CONSTANTS: usize = 64;
export const SMALLEST: usize = 144;
export const UNIT: usize = 152;
export const UNIT_LOW: usize = 160;
export const ROOT: usize = 168;
export const ROOT_LOW: usize = 176;
export const TEMPERATURE: usize = 224;
export const PEAK: usize = 232;
export const PEAK_LOW: usize = 240;
/** Pairs (high, low) of 2^(j/128), j = 0 … 127. */
export const EXP_TABLE: usize = 256;
export const HEADER: usize = 2304;

/** 2^512. */
export const SCALE: f64 = 1.3407807929942597e154;
/** 2^-512. */
export const UNSCALE: f64 = 7.458340731200207e-155;
/** 2^256, by which the pairs of p are scaled. */
export const PAIR_SCALE: f64 = 1.157920892373162e77;
/** 2^-256. */
export const PAIR_UNSCALE: f64 = 8.636168555094445e-78;
const SMALLEST_NORMAL: f64 = 2.2250738585072014e-308;
const SMALLEST_SUBNORMAL: f64 = 5e-324;

/** Returns the number of classes rounded up to whole f64x2 vectors. */
export function paddedClasses(classes: usize): usize {
  return classes + (classes & 1);
}

/** Returns the bytes of two work areas (the SIMD kernel computes two rows at once) and of four vectors of pairs. */
export function workAreaBytes(classes: usize): usize {
  return secondArea(secondArea(0, classes), classes) + 64 * classes;
}

/** Returns the address after the area at `work`: the area of the second row, or after that one the pairs. */
export function secondArea(work: usize, classes: usize): usize {
  return work + HEADER + 88 * paddedClasses(classes);
}

/** Returns the address of vector n: 0 p, 1 e high, 2 e low, 3 d, 4 delta, 5 and 6 temporary values, 7 to 9 P (see above), 10 J_kk. */
export function vectorAt(work: usize, classes: usize, n: usize): usize {
  return work + HEADER + 8 * n * paddedClasses(classes);
}

export function pAt(work: usize, k: usize): f64 {
  return loadF64(work + HEADER + 8 * k);
}

export function winnerOf(work: usize): usize {
  return loadI32(work + ARGMAX) as usize;
}

/** Returns a + b - sum, exactly, for the rounded sum (Knuth). */
export function errorOfSum(a: f64, b: f64, sum: f64): f64 {
  const bb = sum - a;
  return a - (sum - bb) + (b - bb);
}

/** Returns a·b - product, exactly, for the rounded product (Dekker: there is no fused multiply-add). |a|, |b| < 2^996. */
export function errorOfProduct(a: f64, b: f64, product: f64): f64 {
  const ca = a * 134217729.0;
  const ah = ca - (ca - a);
  const al = a - ah;
  const cb = b * 134217729.0;
  const bh = cb - (cb - b);
  const bl = b - bh;
  return ah * bh - product + ah * bl + al * bh + al * bl;
}

/** Returns x/t. A division by 1 is skipped, because it would take most of the time. */
export function over(x: f64, t: f64): f64 {
  return t === 1.0 ? x : x / t;
}

/**
 * Returns (value + rest)·down, rounded once. `value` is a rounded sum, not negative, and `rest` its rounding error; down = 1/up
 * is a power of two. Only a subnormal result would be rounded twice: if `value` is halfway between two of them, `rest`
 * decides.
 */
export function scaledOnce(value: f64, rest: f64, down: f64, up: f64): f64 {
  const result = value * down;
  if (result >= SMALLEST_NORMAL) return result;
  const half = SMALLEST_SUBNORMAL * up * 0.5;
  const removed = value - result * up;
  if (removed === half && rest > 0.0) return result + SMALLEST_SUBNORMAL;
  if (removed === -half && rest < 0.0) return result - SMALLEST_SUBNORMAL;
  return result;
}

/** Sets the temperature T for the following rows, and √T·2^-256 and 2^256/√T in two doubles each. */
export function storeTemperature(work: usize, temperature: f64): void {
  storeF64(work + TEMPERATURE, temperature);
  const root = Math.sqrt(temperature);
  const square = root * root;
  const error = errorOfProduct(root, root, square);
  const rootLow = (temperature - square - error) / (root + root);
  storeF64(work + ROOT, root * PAIR_UNSCALE);
  storeF64(work + ROOT_LOW, rootLow * PAIR_UNSCALE);
  // 1/√T is unit + low; low is from the remainder 1 - unit·√T.
  const unit = leading26(1.0 / root);
  const product = unit * root;
  const remainder =
    1.0 - product - errorOfProduct(unit, root, product) - unit * rootLow;
  storeF64(work + UNIT, unit * PAIR_SCALE);
  storeF64(work + UNIT_LOW, (remainder / root) * PAIR_SCALE);
}

/** Stores m/T in two doubles, for logsumexp. */
export function storePeak(work: usize, m: f64): void {
  const temperature = loadF64(work + TEMPERATURE);
  const high = m / temperature;
  const product = high * temperature;
  const rest =
    temperature === 1.0
      ? 0.0
      : m - product - errorOfProduct(high, temperature, product);
  storeF64(work + PEAK, high);
  storeF64(work + PEAK_LOW, rest - rest === 0.0 ? rest / temperature : 0.0);
}

/** Sets the header of a bad row, in which every p is 0. */
export function clearHeader(work: usize): void {
  storeF64(work + WINNER, 0.0);
  storeI32(work + ARGMAX, 0);
}
