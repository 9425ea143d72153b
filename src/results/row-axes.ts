import { UsageError } from "../errors.js";
import { readFully } from "../io/positional.js";
import { indexName, positionNames } from "../printable.js";

/**
 * Axes of the rows of an input. The column `row` is the index along the first axis; each further axis has its own index
 * column.
 */
export interface RowAxes {
  /** Lengths of the axes after the first; for ragged lists, the length of the longest. */
  inner: readonly number[];
  /** Descriptor of the temporary file with the indices of ragged rows; null if they follow from `inner`. */
  fd: number | null;
}

export const ONE_AXIS: RowAxes = { inner: [], fd: null };

/** Returns the key of an index: its rank in lexicographic order. Without ragged lists, it is the number of the row. */
export function keyOfIndex(
  inner: readonly number[],
  [row = 0, ...positions]: readonly number[],
): number {
  return inner.reduce(
    (key, length, k) => key * length + (positions[k] as number),
    row,
  );
}

/** Returns the index of a key: the row, then the positions. */
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
 * Checks the positions of a row of an output.
 * @throws UsageError if their number is wrong or one is out of range
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
      : positions.length === 0
        ? `position: each row of ${path} has several results; give ${positionNames(inner).join(", ")} (${expected})`
        : `position: expected ${positionNames(inner).join(", ")} (${expected}) for each row of ${path}, found ${positions.join(", ")}`,
    "position",
  );
}

/** Returns the number of keys of rows with axes of these lengths. */
export function keyCount(lengths: readonly number[]): number {
  return lengths.reduce((product, length) => product * length, 1);
}

/** Returns the argument for `openJacobian` of a key: a number, or the row and its positions. */
export function rowOfKey(
  inner: readonly number[],
  key: number,
): number | { row: number; position: number[] } {
  const [row = key, ...position] = indexOfKey(inner, key);
  return position.length === 0 ? row : { row, position };
}

/** Formats the row of a key for messages. */
export function nameOfKey(inner: readonly number[], key: number): string {
  return indexName(indexOfKey(inner, key));
}

/** Rows `[rowStart, rowEnd)` of an input. */
export interface RowRange {
  rowStart: number;
  rowEnd: number;
}

// The temporary file of ragged rows holds float64 [rows, axes], row-major: the row and the positions of each row.

const BYTES = 8;

export function axesOf({
  leading,
  indexFd,
}: {
  leading: readonly number[];
  indexFd: number | null;
}): RowAxes {
  return { inner: leading.slice(1), fd: indexFd };
}

/** Returns the indices of rows `[start, end)`: one array per index column, `row` first. @throws system errors */
export function rowIndices(
  { inner, fd }: RowAxes,
  start: number,
  end: number,
): Float64Array[] {
  const axes = inner.length + 1;
  const count = end - start;
  const columns = Array.from({ length: axes }, () => new Float64Array(count));
  if (fd === null) {
    for (let k = 0; k < count; k++)
      for (const [n, index] of indexOfKey(inner, start + k).entries())
        (columns[n] as Float64Array)[k] = index;
    return columns;
  }
  const records = new Float64Array(count * axes);
  readFully(fd, new Uint8Array(records.buffer), start * axes * BYTES);
  for (const [n, column] of columns.entries())
    for (let k = 0; k < count; k++) column[k] = records[k * axes + n] as number;
  return columns;
}

/** Returns the index of a row: the row, then the positions. */
export function indexOfRow(axes: RowAxes, row: number): number[] {
  return rowIndices(axes, row, row + 1).map(([index]) => index as number);
}

/** Formats a row for messages: `row 3, position 7`. */
export function nameOfRow(axes: RowAxes, row: number): string {
  return indexName(indexOfRow(axes, row));
}
