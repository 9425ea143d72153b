import { blockRowStart } from "../results/columns.js";
import type { StoredBlock } from "./example.js";

/** Returns a function that looks up entries of blocks by row and column, one block at a time. */
export function blockEntries(
  classes: number,
): (block: StoredBlock) => (i: number, j: number) => number {
  /** In layouts of entries: the block with its zeros. */
  let spread: Float64Array | null = null;
  return (block) => {
    const { kind, values } = block;
    if (kind === "triangle")
      return (i, j) => values[triangleIndex(classes, i, j)] as number;
    let whole = values;
    if (kind === "entries") {
      spread ??= new Float64Array(classes ** 2);
      spread.fill(0);
      for (let n = 0; n < values.length; n++)
        spread[block.indices[n] as number] = values[n] as number;
      whole = spread;
    }
    return (i, j) => whole[i * classes + j] as number;
  };
}

/** Returns the index of entry (i, j) in the upper triangle of a block. */
export function triangleIndex(classes: number, i: number, j: number): number {
  return blockRowStart("triangle", classes, Math.min(i, j)) + Math.abs(i - j);
}

/** Returns the indices i·Q + j of entries; NaN for an i or j that is no class. */
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

/** Returns the place of the first index that does not ascend, or is not in a block; -1: there is none. */
export function wrongIndex(
  indices: ArrayLike<number>,
  classes: number,
): number {
  let least = 0;
  for (let n = 0; n < indices.length; n++) {
    const index = indices[n] as number;
    if (!(index >= least && index < classes * classes)) return n;
    least = index + 1;
  }
  return -1;
}

/** Returns what is wrong with the indices of a block's entries; null: nothing. */
export function indexProblem(
  indices: ArrayLike<number>,
  classes: number,
): string | null {
  const n = wrongIndex(indices, classes);
  if (n < 0) return null;
  const least = n === 0 ? 0 : (indices[n - 1] as number) + 1;
  const index = indices[n] as number;
  const found = Number.isNaN(index)
    ? `a class that is not from 0 to ${classes - 1}`
    : index;
  return `expected ascending indices from ${least} to ${classes * classes - 1}, found ${found}`;
}

/** p, the class of the largest p, and 1 - its p without cancellation, of which a block consists. */
export interface Factors {
  p: ArrayLike<number>;
  predicted: number;
  uncertainty: number;
}

/**
 * Returns the entries of a block: J[i,j] = -p_i p_j/T and J[k,k] = p_k (1 - p_k)/T, with the uncertainty for the winner's
 * 1 - p, which would cancel. Of log-softmax: (δ_ij - p_i)/T.
 */
export function entriesOfFactors(
  { p, predicted, uncertainty }: Factors,
  temperature: number,
  ofLog = false,
): (i: number, j: number) => number {
  return (i, j) => {
    const own = p[i] as number;
    const rest = i === predicted ? uncertainty : 1 - own;
    if (ofLog) return (i === j ? rest : 0 - own) / temperature;
    return (i === j ? own * rest : 0 - own * (p[j] as number)) / temperature;
  };
}

/** Returns the block of some classes from p of these, `[k, k]`; null if p is not known. */
export function blockOfP(
  {
    p,
    classes,
    predicted,
    uncertainty,
  }: {
    classes: readonly number[];
    p: readonly number[] | null;
    predicted: number;
    uncertainty: number;
  },
  temperature: number,
): Float64Array | null {
  if (!p) return null;
  const factors = { p, predicted: classes.indexOf(predicted), uncertainty };
  const entry = entriesOfFactors(factors, temperature);
  const k = p.length;
  return Float64Array.from({ length: k * k }, (_, n) =>
    entry(Math.floor(n / k), n % k),
  );
}
