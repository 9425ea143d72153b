import type { InputFormatError } from "../errors.js";
import type { ArrowContainer } from "../input/arrow-container.js";
import type { NumberColumn } from "../input/number-column.js";
import { placeValues } from "../input/record-batch.js";
import { recordBatches } from "../input/record-batches.js";
import { keyOfIndex } from "../results/row-axes.js";
import type { ByteSource } from "./byte-source.js";
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

/** The index columns of a record batch as one column of row numbers: the keys of the indices (src/results/row-axes.ts). */
export class RowColumn {
  readonly #columns: readonly StoredColumn[];
  readonly #inner: readonly number[];

  constructor(columns: readonly StoredColumn[], inner: readonly number[]) {
    this.#columns = columns;
    this.#inner = inner;
  }

  /** Returns the numbers of table rows `[start, end)`; -1 for a position outside of its axis. @throws InputFormatError */
  async numbers(
    source: ByteSource,
    start: number,
    end: number,
  ): Promise<Float64Array> {
    const inner = this.#inner;
    const found = await Promise.all(
      this.#columns.map((column) => column.numbers(source, start, end)),
    );
    if (inner.length === 0) return found[0] as Float64Array;
    return Float64Array.from({ length: end - start }, (_, k) => {
      const index = found.map((numbers) => numbers[k] as number);
      const isInside = inner.every((length, n) => {
        const position = index[n + 1] as number;
        return position >= 0 && position < length;
      });
      return isInside ? keyOfIndex(inner, index) : -1;
    });
  }

  error(expectedFound: string): InputFormatError {
    return (this.#columns[0] as StoredColumn).error(expectedFound);
  }
}
