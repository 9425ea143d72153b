import { multiply, squareRoot } from "./arithmetic.js";
import type { ReferenceRow } from "./row.js";
import { at, type ReferenceValues, Scaled, storeValue } from "./scaled.js";

// The block J = (diag(p) - p pᵀ)/T, its parts, and its factor. Relative errors 2^-97 (see row.ts); nothing cancels.

const entry = new Scaled();
const root = new Scaled();

/** Computes J, `[i, j]` row-major. */
export function storeJacobian(row: ReferenceRow, out: ReferenceValues): void {
  const { classes } = row;
  for (let n = 0, i = 0; i < classes; i++)
    for (let j = 0; j < classes; j++) storeEntry(row, out, n++, i, j);
}

/** Computes J for j >= i, row by row. */
export function storePacked(row: ReferenceRow, out: ReferenceValues): void {
  for (let n = 0, i = 0; i < row.classes; i++)
    for (let j = i; j < row.classes; j++) storeEntry(row, out, n++, i, j);
}

/** Computes J[i, k] for all i. */
export function storeColumn(
  row: ReferenceRow,
  out: ReferenceValues,
  k: number,
): void {
  for (let i = 0; i < row.classes; i++) storeEntry(row, out, i, i, k);
}

export function storeDiagonal(row: ReferenceRow, out: ReferenceValues): void {
  for (let i = 0; i < row.classes; i++) storeEntry(row, out, i, i, i);
}

/** Computes (δ_ij - p_i)/T, `[i, j]` row-major. */
export function storeLogJacobian(
  row: ReferenceRow,
  out: ReferenceValues,
): void {
  const { classes, p, inverseT } = row;
  for (let i = 0; i < classes; i++) {
    multiply(entry, at(p, i), inverseT);
    for (let j = 0; j < classes; j++)
      storeValue(out, i * classes + j, entry, -1);
    storeLogEntry(row, out, i * classes + i, i, i);
  }
}

/** Computes V[i, k] = √p_k (δ_ik - p_i)/√T, row-major; V Vᵀ = J. */
export function storeFactor(
  { classes, p, q, inverseT }: ReferenceRow,
  out: ReferenceValues,
): void {
  for (let k = 0; k < classes; k++) {
    // √(p_k/T)
    multiply(root, at(p, k), inverseT);
    squareRoot(root, root);
    for (let i = 0; i < classes; i++) {
      multiply(entry, root, at(i === k ? q : p, i));
      storeValue(out, i * classes + k, entry, i === k ? 1 : -1);
    }
  }
}

/** Computes (p - e_y)/T of class y. */
export function storeGradient(
  row: ReferenceRow,
  out: ReferenceValues,
  y: number,
): void {
  for (let i = 0; i < row.classes; i++) storeLogEntry(row, out, i, i, y, -1);
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
  multiply(entry, at(i === j ? q : p, i), inverseT);
  storeValue(out, n, entry, i === j ? sign : sign === 1 ? -1 : 1);
}

/** Stores J[i, j] as value n. */
export function storeEntry(
  { p, q, inverseT }: ReferenceRow,
  out: ReferenceValues,
  n: number,
  i: number,
  j: number,
): void {
  multiply(entry, at(p, i), at(i === j ? q : p, j));
  multiply(entry, entry, inverseT);
  storeValue(out, n, entry, i === j ? 1 : -1);
}
