import { add, multiply, subtract } from "./arithmetic.js";
import { type ReferenceRow, ROW } from "./row.js";
import {
  numbers,
  PLACES,
  type ReferenceValues,
  store,
  storePlain,
  storeValue,
} from "./scaled.js";

// Results of p and log p with one value per row or class. Sums have terms of one sign: relative errors 2^-97 plus
// classes·2^-104. Only logsumexp adds terms that may cancel: 2^-97 of |o_a/T| + log1p(tail).

const x = numbers(2);
const [term, total] = [0, PLACES];

/** Stores p. */
export function storeSoftmax(
  { classes, p }: ReferenceRow,
  out: ReferenceValues,
): void {
  for (let k = 0; k < classes; k++) storeValue(out, k, p, PLACES * k);
}

/** Stores log p; -Infinity for a masked class. */
export function storeLogSoftmax(row: ReferenceRow, out: ReferenceValues): void {
  for (let k = 0; k < row.classes; k++) storeLogOf(row, out, k, k, 1);
}

/** Stores -log p_y; Infinity for a masked class. */
export function storeCrossEntropy(
  row: ReferenceRow,
  out: ReferenceValues,
  y: number,
): void {
  storeLogOf(row, out, 0, y, -1);
}

/** Computes log Σ exp(o/T) = o_a/T + log1p(tail). */
export function storeLogsumexp(
  { scalars }: ReferenceRow,
  out: ReferenceValues,
): void {
  add(x, total, scalars, ROW.peak, scalars, ROW.log);
  storeValue(out, 0, x, total);
}

/** Computes -Σ p log p as Σ p_k (log1p(tail) - d_k), whose terms are never negative. */
export function storeEntropy(
  { classes, p, d, scalars }: ReferenceRow,
  out: ReferenceValues,
): void {
  store(x, total, 0, 0, 0);
  for (let at = 0; at < PLACES * classes; at += PLACES) {
    subtract(x, term, scalars, ROW.log, d, at);
    multiply(x, term, x, term, p, at);
    add(x, total, x, total, x, term);
  }
  storeValue(out, 0, x, total);
}

/** Computes Σ p_i (1 - p_i). Divided by T it is the trace of J. */
export function storeGini(
  { classes, p, q }: ReferenceRow,
  out: ReferenceValues,
): void {
  sumOfSpreads(p, q, classes);
  storeValue(out, 0, x, total);
}

export function storeTrace(
  { classes, p, q, scalars }: ReferenceRow,
  out: ReferenceValues,
): void {
  sumOfSpreads(p, q, classes);
  multiply(x, total, x, total, scalars, ROW.inverseT);
  storeValue(out, 0, x, total);
}

function sumOfSpreads(p: Float64Array, q: Float64Array, classes: number): void {
  store(x, total, 0, 0, 0);
  for (let at = 0; at < PLACES * classes; at += PLACES) {
    multiply(x, term, p, at, q, at);
    add(x, total, x, total, x, term);
  }
}

function storeLogOf(
  { d, masked, scalars }: ReferenceRow,
  out: ReferenceValues,
  n: number,
  k: number,
  sign: 1 | -1,
): void {
  if (masked[k]) {
    storePlain(out, n, -sign * Infinity);
    return;
  }
  subtract(x, term, d, PLACES * k, scalars, ROW.log);
  storeValue(out, n, x, term, sign);
}
