import type { ArrowContainer } from "../input/arrow-container.js";
import type { NumberColumn } from "../input/number-column.js";
import { placeValues } from "../input/record-batch.js";
import { recordBatches } from "../input/record-batches.js";
import { RowColumn } from "./row-column.js";
import { StoredColumn } from "./stored-column.js";

/** A record batch that has rows, its columns placed. */
export interface FileBatch {
  /** Table rows of the batches before it. */
  start: number;
  /** Its own table rows: one or more. */
  count: number;
  row: RowColumn;
  parts: StoredColumn[];
}

/** The index columns of a file: `row`, then the positions, and the lengths of their axes. */
export interface IndexColumns {
  index: NumberColumn[];
  inner: readonly number[];
}

/**
 * Places the columns in every record batch: after this, every byte range that is read lies inside the file.
 * @throws InputFormatError, InputUnsupportedError, IoError
 */
export function placeBatches(
  file: ArrowContainer,
  { index, inner, parts }: IndexColumns & { parts: NumberColumn[] },
): FileBatch[] {
  const placed: FileBatch[] = [];
  let start = 0;
  for (const { context, batch, columns } of recordBatches(file)) {
    const count = batch.rows;
    const stored = (column: NumberColumn) =>
      new StoredColumn(
        context,
        column,
        count,
        placeValues(context, batch, columns, column),
      );
    const found = {
      start,
      count,
      row: new RowColumn(index.map(stored), inner),
      parts: parts.map(stored),
    };
    if (count > 0) placed.push(found);
    start += count;
  }
  return placed;
}
