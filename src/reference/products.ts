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

// Products of J, and of the Jacobian of log-softmax, with a vector. Terms may cancel: errors are 2^-97 of the sums of
// absolute terms in docs/results.md.

const term = new Scaled();
const away = new Scaled();
const mean = new Scaled();
const total = new Scaled();
const others = new Scaled();

/** Computes (g - p Σ g)/T; for the predicted class a as ((1 - p_a) Σ g - Σ of the other g)/T. */
export function storeLogVjp(
  { classes, winner, p, q, inverseT }: ReferenceRow,
  out: ReferenceValues,
  g: ArrayLike<number>,
): void {
  store(others, 0);
  for (let k = 0; k < classes; k++) {
    if (k === winner) continue;
    store(term, g[k] as number);
    add(others, others, term);
  }
  store(term, g[winner] as number);
  add(total, others, term);
  for (let k = 0; k < classes; k++) {
    if (k === winner) {
      multiply(term, at(q, k), total);
      subtract(term, term, others);
    } else {
      multiply(mean, at(p, k), total);
      store(term, g[k] as number);
      subtract(term, term, mean);
    }
    multiply(term, term, inverseT);
    storeValue(out, k, term);
  }
}

/**
 * Computes (v - ⟨p, v⟩)/T, times p if `timesP` is set. With v' = v - v_a, ⟨p, v'⟩ has no term of the predicted class a, and
 * v'_k - ⟨p, v'⟩ = v_k - ⟨p, v⟩.
 */
export function storeOffMean(
  { classes, winner, p, inverseT }: ReferenceRow,
  out: ReferenceValues,
  v: ArrayLike<number>,
  timesP: boolean,
): void {
  store(mean, 0);
  for (let k = 0; k < classes; k++) {
    if (k === winner) continue;
    storeAway(v, k, winner);
    multiply(term, away, at(p, k));
    add(mean, mean, term);
  }
  for (let k = 0; k < classes; k++) {
    storeAway(v, k, winner);
    subtract(term, away, mean);
    if (timesP) multiply(term, term, at(p, k));
    multiply(term, term, inverseT);
    storeValue(out, k, term);
  }
}

/** Stores v_k - v_a at `away`. */
function storeAway(v: ArrayLike<number>, k: number, winner: number): void {
  store(away, v[k] as number);
  store(term, v[winner] as number);
  subtract(away, away, term);
}

// J Σ J, entry by entry: p_i p_j (Σ'_ij - r_i - c_j + s)/T² with Σ'_ij = Σ_ij - Σ_aj - Σ_ia + Σ_aa,
// r_i = Σ_k p_k Σ'_ik, c_j = Σ_k p_k Σ'_kj, s = Σ_k p_k r_k. Errors are 2^-96 of the same expression with |Σ'|, the
// scale of docs/results.md. Σ'_ij is computed again where it is used: Q² numbers would need much memory.

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

const left = new Scaled();
const right = new Scaled();
const entry = new Scaled();

function centred(
  { classes, winner: a, p }: ReferenceRow,
  covariance: ArrayLike<number>,
) {
  const [r, c, s] = [numbers(classes), numbers(classes), new Scaled()];
  const sigma = covarianceEntries(covariance, classes);
  /** Stores Σ'_ij in `entry`. */
  const storeCentred = (i: number, j: number) => {
    // Two exact differences of doubles, and their difference; both are equal for i = a, and for j = a.
    storeDifference(left, sigma(i, j), sigma(a, j));
    storeDifference(right, sigma(i, a), sigma(a, a));
    subtract(entry, left, right);
  };
  for (let i = 0; i < classes; i++)
    for (let j = 0; j < classes; j++) {
      storeCentred(i, j);
      multiply(term, entry, at(p, j));
      add(at(r, i), at(r, i), term);
      multiply(term, entry, at(p, i));
      add(at(c, j), at(c, j), term);
    }
  for (let k = 0; k < classes; k++) {
    multiply(term, at(r, k), at(p, k));
    add(s, s, term);
  }
  return { storeCentred, r, c, s };
}

function storeEntry(
  { p, inverseT }: ReferenceRow,
  { storeCentred, r, c, s }: ReturnType<typeof centred>,
  out: ReferenceValues,
  n: number,
  i: number,
  j: number,
): void {
  storeCentred(i, j);
  subtract(entry, entry, at(r, i));
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
