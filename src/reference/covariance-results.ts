import { add, multiply, subtract } from "./arithmetic.js";
import { type ReferenceRow, ROW } from "./row.js";
import {
  numbers,
  PLACES,
  type ReferenceValues,
  store,
  storeDouble,
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
  table: Float64Array;
  r: Float64Array;
  c: Float64Array;
  s: Float64Array;
}

const x = numbers(4);
const [term, left, right, entry] = [0, PLACES, 2 * PLACES, 3 * PLACES];

function centred(
  { classes, winner: a, p }: ReferenceRow,
  covariance: ArrayLike<number>,
): Parts {
  const table = numbers(classes * classes);
  const [r, c, s] = [numbers(classes), numbers(classes), numbers(1)];
  const sigma = covarianceEntries(covariance, classes);
  for (let i = 0; i < classes; i++)
    for (let j = 0; j < classes; j++) {
      const at = PLACES * (i * classes + j);
      if (i === a || j === a) {
        store(table, at, 0, 0, 0);
        continue;
      }
      // Two exact differences of doubles, and their difference.
      storeDifference(left, sigma(i, j), sigma(a, j));
      storeDifference(right, sigma(i, a), sigma(a, a));
      subtract(table, at, x, left, x, right);
      multiply(x, term, table, at, p, PLACES * j);
      add(r, PLACES * i, r, PLACES * i, x, term);
      multiply(x, term, table, at, p, PLACES * i);
      add(c, PLACES * j, c, PLACES * j, x, term);
    }
  for (let at = 0; at < PLACES * classes; at += PLACES) {
    multiply(x, term, r, at, p, at);
    add(s, 0, s, 0, x, term);
  }
  return { table, r, c, s };
}

function storeEntry(
  { classes, p, scalars }: ReferenceRow,
  { table, r, c, s }: Parts,
  out: ReferenceValues,
  n: number,
  i: number,
  j: number,
): void {
  subtract(x, entry, table, PLACES * (i * classes + j), r, PLACES * i);
  subtract(x, entry, x, entry, c, PLACES * j);
  add(x, entry, x, entry, s, 0);
  multiply(x, term, p, PLACES * i, p, PLACES * j);
  multiply(x, term, x, term, scalars, ROW.inverseTT);
  multiply(x, entry, x, entry, x, term);
  storeValue(out, n, x, entry);
}

function storeDifference(at: number, u: number, v: number): void {
  storeDouble(x, at, u);
  storeDouble(x, term, v);
  subtract(x, at, x, at, x, term);
}

/** Returns Σ_ij by indices; the number of values determines the form of Σ. */
export function covarianceEntries(
  covariance: ArrayLike<number>,
  classes: number,
): (i: number, j: number) => number {
  const at = (n: number) => covariance[n] as number;
  if (covariance.length === classes * classes)
    return (i, j) => at(i * classes + j);
  if (covariance.length === classes) return (i, j) => (i === j ? at(i) : 0);
  return (i, j) => {
    const low = Math.min(i, j);
    return at(low * classes - (low * (low + 1)) / 2 + Math.max(i, j));
  };
}
