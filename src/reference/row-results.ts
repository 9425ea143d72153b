import { add, multiply, subtract } from "./arithmetic.js";
import type { ReferenceRow } from "./row.js";
import {
  at,
  type ReferenceValues,
  Scaled,
  store,
  storePlain,
  storeValue,
} from "./scaled.js";

// Results of p and log p with one value per row or class. Sums have terms of one sign: relative errors 2^-97 plus
// classes·2^-104. Only logsumexp adds terms that may cancel: 2^-97 of |o_a/T| + log1p(tail).

const term = new Scaled();
const total = new Scaled();

/** Stores p. */
export function storeSoftmax(
  { classes, p }: ReferenceRow,
  out: ReferenceValues,
): void {
  for (let k = 0; k < classes; k++) storeValue(out, k, at(p, k));
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
  { peak, log }: ReferenceRow,
  out: ReferenceValues,
): void {
  add(total, peak, log);
  storeValue(out, 0, total);
}

/** Computes -Σ p log p as Σ p_k (log1p(tail) - d_k), whose terms are never negative. */
export function storeEntropy(
  { classes, p, d, log }: ReferenceRow,
  out: ReferenceValues,
): void {
  store(total, 0);
  for (let k = 0; k < classes; k++) {
    subtract(term, log, at(d, k));
    multiply(term, term, at(p, k));
    add(total, total, term);
  }
  storeValue(out, 0, total);
}

/** Computes Σ p_i (1 - p_i). Divided by T it is the trace of J. */
export function storeGini(row: ReferenceRow, out: ReferenceValues): void {
  sumSpreads(row);
  storeValue(out, 0, total);
}

export function storeTrace(row: ReferenceRow, out: ReferenceValues): void {
  sumSpreads(row);
  multiply(total, total, row.inverseT);
  storeValue(out, 0, total);
}

function sumSpreads({ classes, p, q }: ReferenceRow): void {
  store(total, 0);
  for (let k = 0; k < classes; k++) {
    multiply(term, at(p, k), at(q, k));
    add(total, total, term);
  }
}

function storeLogOf(
  { d, masked, log }: ReferenceRow,
  out: ReferenceValues,
  n: number,
  k: number,
  sign: 1 | -1,
): void {
  if (masked[k]) {
    storePlain(out, n, -sign * Infinity);
    return;
  }
  subtract(term, at(d, k), log);
  storeValue(out, n, term, sign);
}
