import { EMITS, type EmitName, type InputUse } from "../results/catalogue.js";
import { add, multiply, squareRoot, subtract } from "./arithmetic.js";
import {
  storeCovariance,
  storeLogVjp,
  storeOffMean,
  storeVariance,
} from "./products.js";
import type { ReferenceRow } from "./row.js";
import {
  at,
  type ReferenceValues,
  referenceValues,
  Scaled,
  store,
  storePlain,
  storeValue,
} from "./scaled.js";

/**
 * Computes one result of a row to about 29 digits. docs/results.md has the formulas, shapes and scales of errors.
 *
 * @param input cotangent or tangent `[classes]`, label or class `[1]`, or a covariance of Q, Q(Q+1)/2 or Q·Q values, for which
 * `isUsableInput` is true
 * @param out values to overwrite; default: new ones
 */
export function referenceResult(
  name: ReferenceName,
  row: ReferenceRow,
  input: ArrayLike<number> = [],
  out: ReferenceValues = referenceValues(valuesOf(name, row.classes)),
): ReferenceValues {
  STORES[name](row, out, input);
  return out;
}

/** Returns the number of values of a result for a row. */
export function valuesOf(name: ReferenceName, classes: number): number {
  if (name === "packed") return (classes * (classes + 1)) / 2;
  const { shape } = EMITS[name];
  return { scalar: 1, vector: classes, block: classes * classes }[shape];
}

/** Returns whether all values are finite and, for a class, whether it is one of 0 to Q − 1. */
export function isUsableInput(
  option: InputUse,
  classes: number,
  values: ArrayLike<number>,
): boolean {
  for (let n = 0; n < values.length; n++)
    if (!Number.isFinite(values[n])) return false;
  if (option !== "label" && option !== "classColumn") return true;
  const k = values[0] as number;
  return Number.isInteger(k) && k >= 0 && k < classes;
}

/** A result of the catalogue, or the block as its upper triangle. */
export type ReferenceName = EmitName | "packed";

type Store = (
  row: ReferenceRow,
  out: ReferenceValues,
  input: ArrayLike<number>,
) => void;

const x = new Scaled();
const total = new Scaled();

/**
 * Computes each result. Relative errors are 2^-97 (see row.ts), plus classes·2^-104 for sums, whose terms have one sign;
 * nothing cancels, except in logsumexp, products and covariances. Blocks are row-major.
 */
const STORES: Record<ReferenceName, Store> = {
  softmax({ classes, p }, out) {
    for (let k = 0; k < classes; k++) storeValue(out, k, at(p, k));
  },
  /** -Infinity for a masked class. */
  log_softmax(row, out) {
    for (let k = 0; k < row.classes; k++) storeLogOf(row, out, k, k, 1);
  },
  /** o_a/T + log1p(tail), with an error of 2^-97 of the sum of their sizes. */
  logsumexp({ peak, log }, out) {
    add(total, peak, log);
    storeValue(out, 0, total);
  },
  /** J = (diag(p) - p pᵀ)/T. */
  jacobian(row, out) {
    storeEntries(row, out, false);
  },
  /** J for j >= i, row by row. */
  packed(row, out) {
    storeEntries(row, out, true);
  },
  /** (δ_ij - p_i)/T */
  log_jacobian(row, out) {
    const { classes, p, inverseT } = row;
    for (let i = 0; i < classes; i++) {
      multiply(x, at(p, i), inverseT);
      for (let j = 0; j < classes; j++) storeValue(out, i * classes + j, x, -1);
      storeLogEntry(row, out, i * classes + i, i, i);
    }
  },
  column(row, out, input) {
    const k = input[0] as number;
    for (let i = 0; i < row.classes; i++) storeEntry(row, out, i, i, k);
  },
  diagonal(row, out) {
    for (let i = 0; i < row.classes; i++) storeEntry(row, out, i, i, i);
  },
  trace(row, out) {
    sumSpreads(row);
    multiply(total, total, row.inverseT);
    storeValue(out, 0, total);
  },
  // J is symmetric.
  vjp: (...result) => storeOffMean(...result, true),
  jvp: (...result) => storeOffMean(...result, true),
  log_vjp: storeLogVjp,
  log_jvp: (...result) => storeOffMean(...result, false),
  /** V[i, k] = √p_k (δ_ik - p_i)/√T; V Vᵀ = J. */
  factor({ classes, p, q, inverseT }, out) {
    for (let k = 0; k < classes; k++) {
      multiply(total, at(p, k), inverseT);
      squareRoot(total, total);
      for (let i = 0; i < classes; i++) {
        multiply(x, total, at(i === k ? q : p, i));
        storeValue(out, i * classes + k, x, i === k ? 1 : -1);
      }
    }
  },
  covariance: storeCovariance,
  variance: storeVariance,
  /** √(J Σ J)_ii; 0 if Σ is not positive semidefinite and the variance negative. */
  std_error(row, out, input) {
    storeVariance(row, out, input);
    for (let k = 0; k < row.classes; k++) {
      const [high, low] = [out.high[k] as number, out.low[k] as number];
      store(x, Math.max(0, high), high > 0 ? low : 0, out.exponent[k]);
      squareRoot(x, x);
      storeValue(out, k, x);
    }
  },
  /** -log p_y; Infinity for a masked class. */
  cross_entropy(row, out, input) {
    storeLogOf(row, out, 0, input[0] as number, -1);
  },
  /** (p - e_y)/T */
  gradient(row, out, input) {
    const y = input[0] as number;
    for (let i = 0; i < row.classes; i++) storeLogEntry(row, out, i, i, y, -1);
  },
  /** -Σ p log p as Σ p_k (log1p(tail) - d_k), whose terms are never negative. */
  entropy({ classes, p, d, log }, out) {
    store(total, 0);
    for (let k = 0; k < classes; k++) {
      subtract(x, log, at(d, k));
      multiply(x, x, at(p, k));
      add(total, total, x);
    }
    storeValue(out, 0, total);
  },
  gini(row, out) {
    sumSpreads(row);
    storeValue(out, 0, total);
  },
  argmax({ winner }, out) {
    storePlain(out, 0, winner);
  },
  confidence({ p, winner }, out) {
    storeValue(out, 0, at(p, winner));
  },
  uncertainty({ q, winner }, out) {
    storeValue(out, 0, at(q, winner));
  },
  tail({ tail }, out) {
    storeValue(out, 0, tail);
  },
};

function storeEntries(
  row: ReferenceRow,
  out: ReferenceValues,
  isTriangle: boolean,
): void {
  for (let n = 0, i = 0; i < row.classes; i++)
    for (let j = isTriangle ? i : 0; j < row.classes; j++)
      storeEntry(row, out, n++, i, j);
}

/** Stores J[i, j] as value n. */
export function storeEntry(
  { p, q, inverseT }: ReferenceRow,
  out: ReferenceValues,
  n: number,
  i: number,
  j: number,
): void {
  multiply(x, at(p, i), at(i === j ? q : p, j));
  multiply(x, x, inverseT);
  storeValue(out, n, x, i === j ? 1 : -1);
}

/** Stores sign·(δ_ij - p_i)/T as value n. */
export function storeLogEntry(
  { p, q, inverseT }: ReferenceRow,
  out: ReferenceValues,
  n: number,
  i: number,
  j: number,
  sign: 1 | -1 = 1,
): void {
  multiply(x, at(i === j ? q : p, i), inverseT);
  storeValue(out, n, x, i === j ? sign : sign === 1 ? -1 : 1);
}

/** Stores Σ p_i (1 - p_i) in `total`. */
function sumSpreads({ classes, p, q }: ReferenceRow): void {
  store(total, 0);
  for (let k = 0; k < classes; k++) {
    multiply(x, at(p, k), at(q, k));
    add(total, total, x);
  }
}

/** Stores sign·log p_k as value n. */
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
  subtract(x, at(d, k), log);
  storeValue(out, n, x, sign);
}
