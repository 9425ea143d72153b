import { multiply, squareRoot } from "./arithmetic.js";
import { type ReferenceRow, ROW } from "./row.js";
import { numbers, PLACES, type ReferenceValues, storeValue } from "./scaled.js";

// The block J = (diag(p) - p pᵀ)/T, its parts, and its factor. Relative errors 2^-97 (see row.ts); nothing cancels.

const x = numbers(2);
const [entry, root] = [0, PLACES];

/** Computes J, `[i, j]` row-major. */
export function storeJacobian(row: ReferenceRow, out: ReferenceValues): void {
  const { classes } = row;
  for (let i = 0; i < classes; i++)
    for (let j = 0; j < classes; j++)
      storeEntry(row, out, i * classes + j, i, j);
}

/** Computes J for j >= i, row by row. */
export function storePacked(row: ReferenceRow, out: ReferenceValues): void {
  let n = 0;
  for (let i = 0; i < row.classes; i++)
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
  { classes, p, q, scalars }: ReferenceRow,
  out: ReferenceValues,
): void {
  for (let i = 0; i < classes; i++) {
    multiply(x, entry, p, PLACES * i, scalars, ROW.inverseT);
    for (let j = 0; j < classes; j++)
      storeValue(out, i * classes + j, x, entry, -1);
    multiply(x, entry, q, PLACES * i, scalars, ROW.inverseT);
    storeValue(out, i * classes + i, x, entry);
  }
}

/** Computes V[i, k] = √p_k (δ_ik - p_i)/√T, row-major; V Vᵀ = J. */
export function storeFactor(
  { classes, p, q, scalars }: ReferenceRow,
  out: ReferenceValues,
): void {
  for (let k = 0; k < classes; k++) {
    // √(p_k/T)
    multiply(x, root, p, PLACES * k, scalars, ROW.inverseT);
    squareRoot(x, root, x, root);
    for (let i = 0; i < classes; i++) {
      multiply(x, entry, x, root, i === k ? q : p, PLACES * i);
      storeValue(out, i * classes + k, x, entry, i === k ? 1 : -1);
    }
  }
}

/** Computes (p - e_y)/T of class y. */
export function storeGradient(
  { classes, p, q, scalars }: ReferenceRow,
  out: ReferenceValues,
  y: number,
): void {
  for (let i = 0; i < classes; i++) {
    multiply(x, entry, i === y ? q : p, PLACES * i, scalars, ROW.inverseT);
    storeValue(out, i, x, entry, i === y ? -1 : 1);
  }
}

/** (δ_ij - p_i)/T as the n-th value. */
export function storeLogEntry(
  { p, q, scalars }: ReferenceRow,
  out: ReferenceValues,
  n: number,
  i: number,
  j: number,
): void {
  multiply(x, entry, i === j ? q : p, PLACES * i, scalars, ROW.inverseT);
  storeValue(out, n, x, entry, i === j ? 1 : -1);
}

/** Stores J[i, j] as value n. */
export function storeEntry(
  { p, q, scalars }: ReferenceRow,
  out: ReferenceValues,
  n: number,
  i: number,
  j: number,
): void {
  multiply(x, entry, p, PLACES * i, i === j ? q : p, PLACES * j);
  multiply(x, entry, x, entry, scalars, ROW.inverseT);
  storeValue(out, n, x, entry, i === j ? 1 : -1);
}
