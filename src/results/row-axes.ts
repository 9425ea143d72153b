import { UsageError } from "../errors.js";
import { indexName, positionNames } from "../printable.js";

/**
 * Axes of the rows of an input. Rows of one axis are numbered in the column `row`. With more axes, `row` is the index along the
 * first, and each further axis has an index column.
 */
export interface RowAxes {
  /** Lengths of the axes after the first; of ragged lists the length of the longest. */
  inner: readonly number[];
  /** Descriptor of a temporary file with the indices of each row (src/results/row-indices.ts); null: they follow from `inner`. */
  fd: number | null;
}

/** Axes of rows that are only numbered. */
export const ONE_AXIS: RowAxes = { inner: [], fd: null };

/** Returns the place of an index among all indices in lexicographic order: without ragged lists, the number of the row. */
export function keyOfIndex(
  inner: readonly number[],
  [row = 0, ...positions]: readonly number[],
): number {
  return inner.reduce(
    (key, length, k) => key * length + (positions[k] as number),
    row,
  );
}

/** Returns the index that has a key: the row, then the positions. */
export function indexOfKey(inner: readonly number[], key: number): number[] {
  const index: number[] = [];
  let rest = key;
  for (const length of [...inner].reverse()) {
    index.unshift(rest % length);
    rest = Math.floor(rest / length);
  }
  return [rest, ...index];
}

/**
 * Checks the positions that a caller gives for a row of an output.
 * @throws UsageError for another number of positions than the output has, or for one that is not on its axis
 */
export function checkPositions(
  path: string,
  inner: readonly number[],
  positions: readonly number[],
): void {
  const isOnAxis = (length: number, k: number) =>
    Number.isInteger(positions[k]) &&
    Number(positions[k]) >= 0 &&
    Number(positions[k]) < length;
  if (positions.length === inner.length && inner.every(isOnAxis)) return;
  const expected = inner.map((length) => `0 to ${length - 1}`).join(", ");
  throw new UsageError(
    inner.length === 0
      ? `position: the rows of ${path} have no positions`
      : `position: expected ${positionNames(inner).join(", ")} (${expected}) for each row of ${path}, found ${positions.join(", ") || "none"}`,
    "position",
  );
}

/** Returns the number of keys of rows whose axes have these lengths. */
export function keyCount(lengths: readonly number[]): number {
  return lengths.reduce((product, length) => product * length, 1);
}

/** Returns the row of a key as `openJacobian` takes it: a number, or the row and its positions. */
export function rowOfKey(
  inner: readonly number[],
  key: number,
): number | { row: number; position: number[] } {
  const [row = key, ...position] = indexOfKey(inner, key);
  return position.length === 0 ? row : { row, position };
}

/** Returns the row of a key as messages name it. */
export function nameOfKey(inner: readonly number[], key: number): string {
  return indexName(indexOfKey(inner, key));
}

/** Rows `[rowStart, rowEnd)` of an input. */
export interface RowRange {
  rowStart: number;
  rowEnd: number;
}
