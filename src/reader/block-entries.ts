import { blockRowStart } from "../results/columns.js";
import type { StoredBlock } from "./example.js";

/** Looks entries of blocks up, by row and column; one block at a time. */
export class BlockEntries {
  readonly #classes: number;
  /** In layouts of entries: the block with its zeros. */
  #whole: Float64Array | null = null;

  constructor(classes: number) {
    this.#classes = classes;
  }

  of(block: StoredBlock): (i: number, j: number) => number {
    const classes = this.#classes;
    const { values } = block;
    if (block.kind === "triangle")
      return (i, j) => values[triangleIndex(classes, i, j)] as number;
    const whole = block.kind === "square" ? values : this.#spread(block);
    return (i, j) => whole[i * classes + j] as number;
  }

  #spread({
    indices,
    values,
  }: StoredBlock & { kind: "entries" }): Float64Array {
    this.#whole ??= new Float64Array(this.#classes ** 2);
    const whole = this.#whole.fill(0);
    for (let n = 0; n < values.length; n++)
      whole[indices[n] as number] = values[n] as number;
    return whole;
  }
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
