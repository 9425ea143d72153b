import { add, multiply, subtract } from "./arithmetic.js";
import type { ReferenceRow } from "./row.js";
import {
  at,
  numbers,
  type ReferenceValues,
  Scaled,
  store,
  storeValue,
} from "./scaled.js";

// J Σ J, entry by entry: p_i p_j (Σ'_ij - r_i - c_j + s)/T² with Σ'_ij = Σ_ij - Σ_aj - Σ_ia + Σ_aa,
// r_i = Σ_k p_k Σ'_ik, c_j = Σ_k p_k Σ'_kj, s = Σ_k p_k r_k. Errors are 2^-96 of the same expression with |Σ'|, the
// scale of docs/results.md. Needs Q² numbers of temporary memory.

/** Computes J Σ J; Σ has Q (a diagonal), Q(Q+1)/2 (an upper triangle, row by row) or Q·Q values (row-major). */
export function storeCovariance(
  row: ReferenceRow,
  out: ReferenceValues,
  covariance: ArrayLike<number>,
): void {
  const { classes } = row;
  const parts = centred(row, covariance);
  for (let i = 0; i < classes; i++)
    for (let j = 0; j < classes; j++)
      storeEntry(row, parts, out, i * classes + j, i, j);
}

/** Computes the diagonal of J Σ J. */
export function storeVariance(
  row: ReferenceRow,
  out: ReferenceValues,
  covariance: ArrayLike<number>,
): void {
  const parts = centred(row, covariance);
  for (let i = 0; i < row.classes; i++) storeEntry(row, parts, out, i, i, i);
}

interface Parts {
  /** Σ', `[i, j]`. */
  table: Scaled[];
  r: Scaled[];
  c: Scaled[];
  s: Scaled;
}

const term = new Scaled();
const left = new Scaled();
const right = new Scaled();
const entry = new Scaled();

function centred(
  { classes, winner: a, p }: ReferenceRow,
  covariance: ArrayLike<number>,
): Parts {
  const table = numbers(classes * classes);
  const [r, c, s] = [numbers(classes), numbers(classes), new Scaled()];
  const sigma = covarianceEntries(covariance, classes);
  for (let i = 0; i < classes; i++)
    for (let j = 0; j < classes; j++) {
      if (i === a || j === a) continue;
      const centred = at(table, i * classes + j);
      // Two exact differences of doubles, and their difference.
      storeDifference(left, sigma(i, j), sigma(a, j));
      storeDifference(right, sigma(i, a), sigma(a, a));
      subtract(centred, left, right);
      multiply(term, centred, at(p, j));
      add(at(r, i), at(r, i), term);
      multiply(term, centred, at(p, i));
      add(at(c, j), at(c, j), term);
    }
  for (let k = 0; k < classes; k++) {
    multiply(term, at(r, k), at(p, k));
    add(s, s, term);
  }
  return { table, r, c, s };
}

function storeEntry(
  { classes, p, inverseT }: ReferenceRow,
  { table, r, c, s }: Parts,
  out: ReferenceValues,
  n: number,
  i: number,
  j: number,
): void {
  subtract(entry, at(table, i * classes + j), at(r, i));
  subtract(entry, entry, at(c, j));
  add(entry, entry, s);
  for (const factor of [at(p, i), at(p, j), inverseT, inverseT])
    multiply(entry, entry, factor);
  storeValue(out, n, entry);
}

function storeDifference(out: Scaled, u: number, v: number): void {
  store(out, u);
  store(term, v);
  subtract(out, out, term);
}

/** Returns Σ_ij by indices; the number of values determines the form of Σ. */
export function covarianceEntries(
  covariance: ArrayLike<number>,
  classes: number,
): (i: number, j: number) => number {
  const value = (n: number) => covariance[n] as number;
  if (covariance.length === classes * classes)
    return (i, j) => value(i * classes + j);
  if (covariance.length === classes) return (i, j) => (i === j ? value(i) : 0);
  return (i, j) => {
    const low = Math.min(i, j);
    return value(low * classes - (low * (low + 1)) / 2 + Math.max(i, j));
  };
}
