import { readFully } from "../io/positional.js";
import { indexName } from "../printable.js";
import { indexOfKey, type RowAxes } from "./row-axes.js";

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
