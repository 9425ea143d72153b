import { blockRowStart } from "../results/columns.js";

/** Returns the index of entry (i, j) in the upper triangle of a block. */
export function triangleIndex(classes: number, i: number, j: number): number {
  return blockRowStart("triangle", classes, Math.min(i, j)) + Math.abs(i - j);
}

/** Returns the indices i·Q + j of entries; NaN if i or j is not a class. */
export function entryIndices(
  i: ArrayLike<number>,
  j: ArrayLike<number>,
  classes: number,
): Float64Array {
  const isClass = (k: number) => k >= 0 && k < classes;
  const indices = new Float64Array(i.length);
  for (let n = 0; n < i.length; n++) {
    const [row, column] = [i[n] as number, j[n] as number];
    indices[n] =
      isClass(row) && isClass(column) ? row * classes + column : Number.NaN;
  }
  return indices;
}

/** Describes the first index that does not ascend or is outside the block; null if all are valid. */
export function indexProblem(
  indices: ArrayLike<number>,
  classes: number,
): string | null {
  const end = classes * classes;
  let min = 0;
  for (let n = 0; n < indices.length; n++) {
    const index = indices[n] as number;
    if (!(index >= min && index < end))
      return `expected ascending indices from ${min} to ${end - 1}, found ${Number.isNaN(index) ? `a class that is not from 0 to ${classes - 1}` : index}`;
    min = index + 1;
  }
  return null;
}

/** Factors that determine a block. */
export interface Factors {
  p: ArrayLike<number>;
  /** Index of the largest p; -1 if `p` lacks it. */
  predicted: number;
  /** 1 - max p, without cancellation. */
  uncertainty: number;
}

/**
 * Returns a function of the entries of a block: J[i,j] = -p_i p_j/T and J[k,k] = p_k (1 - p_k)/T; for log-softmax,
 * (δ_ij - p_i)/T. For the predicted class, the uncertainty replaces 1 - p, which would cancel.
 */
export function entriesOfFactors(
  { p, predicted, uncertainty }: Factors,
  temperature: number,
  isLog = false,
): (i: number, j: number) => number {
  return (i, j) => {
    const pi = p[i] as number;
    const rest = i === predicted ? uncertainty : 1 - pi;
    if (isLog) return (i === j ? rest : 0 - pi) / temperature;
    return (i === j ? pi * rest : 0 - pi * (p[j] as number)) / temperature;
  };
}
