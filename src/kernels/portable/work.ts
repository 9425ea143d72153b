import { loadF64, loadI32, storeF64, storeI32 } from "./machine.js";

// The work area: one row's softmax, from which its results are computed. m = max o, a = first argmax, T = temperature,
// d + delta = (o_k - m)/T, e_k = exp(d + delta)·2^512 in two doubles, W = classes rounded up to even.
//
//   0    tail/S = 1 - p_a                 f64     48   log(S) = log1p(tail), high and low   f64[2]
//   8    a                                i32     64   constants of exp (SIMD kernel)       f64[10]
//   16   tail·2^512, high and low         f64[2]  224  T                                    f64
//   32   S·2^512, high; low/high          f64[2]  232  m/T, high and low                    f64[2]
//
//   256  table of exp                     f64[256]
//   2304 p; e high (0 for a); e low; d; delta; two vectors of temporary values: f64[W] each

export const WINNER: usize = 0;
export const ARGMAX: usize = 8;
export const TAIL: usize = 16;
export const TAIL_LOW: usize = 24;
export const TOTAL: usize = 32;
export const TOTAL_LOW: usize = 40;
export const LOG: usize = 48;
export const LOG_LOW: usize = 56;
export const EXP_CONSTANTS: usize = 64;
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
  return work + HEADER + 56 * paddedClasses(classes);
}

/** Returns the address of vector n: 0 p, 1 e high, 2 e low, 3 d, 4 delta, 5 and 6 temporary values. */
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

/** Sets the temperature for the following rows. */
export function storeTemperature(work: usize, temperature: f64): void {
  storeF64(work + TEMPERATURE, temperature);
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
