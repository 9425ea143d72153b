import { countWhile } from "../bisect.js";
import type { InputFormatError } from "../errors.js";
import type { NumberColumn } from "../input/number-column.js";
import { locateValues } from "../input/record-batch.js";
import { recordBatches } from "../input/record-batches.js";
import { keyOfIndex } from "../results/row-axes.js";
import { type ByteSource, type FileBytes, ReadAhead } from "./byte-source.js";
import { StoredColumn } from "./stored-column.js";

export interface IndexColumns {
  /** `row`, then the positions. */
  index: NumberColumn[];
  /** Lengths of the axes of the positions. */
  inner: readonly number[];
}

/** Record batch with at least one row. */
export interface StoredBatch {
  /** Number of table rows in the batches before. */
  start: number;
  /** Number of table rows. */
  count: number;
  index: StoredColumn[];
  columns: StoredColumn[];
}

/** Table rows `[start, end)` of a record batch. */
export interface RowRange {
  batch: number;
  start: number;
  end: number;
}

export type ReadNumbers = (range: RowRange) => Promise<Float64Array>;

/** Maximum row numbers that a search reads at once. */
const PAGE = 256;

/**
 * Table rows of a file of results, by row number: the key of the index (src/results/row-axes.ts). Row numbers ascend
 * through the file; only coo has several table rows per row. Searches read only the row numbers that they need.
 */
export class StoredTable {
  readonly inner: readonly number[];
  readonly batches: readonly StoredBatch[];
  /** Number of table rows. */
  readonly count: number;
  /** Minimum difference of consecutive row numbers. */
  readonly #step: 0 | 1;
  #ends: { first: number; last: number } | undefined;

  /** Locates the columns in every record batch and checks that their byte ranges are inside the file. */
  constructor(
    readonly source: FileBytes,
    { index, inner }: IndexColumns,
    columns: readonly NumberColumn[],
    readonly isCoo: boolean,
  ) {
    const batches: StoredBatch[] = [];
    let start = 0;
    for (const record of recordBatches(source.file)) {
      const count = record.batch.rows;
      const stored = (column: NumberColumn) => {
        const buffers = locateValues(record, column);
        return new StoredColumn(record.context, column, count, buffers);
      };
      const located = {
        index: index.map(stored),
        columns: columns.map(stored),
      };
      if (count > 0) batches.push({ start, count, ...located });
      start += count;
    }
    this.inner = inner;
    this.batches = batches;
    this.count = start;
    this.#step = isCoo ? 0 : 1;
  }

  /** Returns the stored row numbers unchecked; -1 for a position outside its axis. */
  async #storedNumbers(
    { batch, start, end }: RowRange,
    source: ByteSource,
  ): Promise<Float64Array> {
    const { inner } = this;
    const { index } = this.batches[batch] as StoredBatch;
    const stored = await Promise.all(
      index.map((column) => column.numbers(source, start, end)),
    );
    if (inner.length === 0) return stored[0] as Float64Array;
    return Float64Array.from({ length: end - start }, (_, k) => {
      const index = stored.map((numbers) => numbers[k] as number);
      const isInside = inner.every((length, n) => {
        const position = index[n + 1] as number;
        return position >= 0 && position < length;
      });
      return isInside ? keyOfIndex(inner, index) : -1;
    });
  }

  /** Returns the first and the last row number; -1 for both without rows. */
  async ends(): Promise<{ first: number; last: number }> {
    if (this.#ends) return this.#ends;
    const batch = this.batches.length - 1;
    if (batch < 0) return { first: -1, last: -1 };
    const end = this.batches[batch]?.count as number;
    const one = (range: RowRange) => this.#storedNumbers(range, this.source);
    const [first = 0] = await one({ batch: 0, start: 0, end: 1 });
    const [last = 0] = await one({ batch, start: end - 1, end });
    if (first < 0 || last - first < (this.count - 1) * this.#step)
      throw this.error(
        0,
        `expected ${this.count} ascending row numbers from 0 or more, found ${first} first and ${last} last`,
      );
    this.#ends = { first, last };
    return this.#ends;
  }

  /** Returns row numbers, and checks that they ascend. @param previous the row number before the range, if it is known */
  async numbers(
    range: RowRange,
    source: ByteSource = this.source,
    previous = -1,
  ): Promise<Float64Array> {
    const step = this.#step;
    const { first, last } = await this.ends();
    const { start } = this.batches[range.batch] as StoredBatch;
    const numbers = await this.#storedNumbers(range, source);
    let min = Math.max(first + step * (start + range.start), previous + step);
    for (const number of numbers) {
      if (number < min || number > last)
        throw this.error(
          range.batch,
          `expected ascending row numbers from ${min} to ${last}, found ${number}`,
        );
      min = number + step;
    }
    return numbers;
  }

  /** Returns a function that reads the row numbers of consecutive ranges. */
  numbersInOrder(): ReadNumbers {
    const source = new ReadAhead(this.source);
    let previous = -1;
    return async (range) => {
      const numbers = await this.numbers(range, source, previous);
      previous = numbers.at(-1) ?? previous;
      return numbers;
    };
  }

  /** Returns the table rows of a row by batch; none if the file does not have the row. */
  async find(row: number): Promise<RowRange[]> {
    const start = await this.#lowerBound(row);
    if (start.row !== row) return [];
    const end = this.isCoo
      ? (await this.#lowerBound(row + 1)).tableRow
      : start.tableRow + 1;
    return this.ranges(start.tableRow, end);
  }

  /** Splits table rows `[start, end)` of the file by batch. */
  ranges(start: number, end: number): RowRange[] {
    const ranges: RowRange[] = [];
    let next = start;
    for (let batch = this.#batchOf(start); next < end; batch++) {
      const { start: first, count } = this.batches[batch] as StoredBatch;
      const stop = Math.min(end, first + count);
      ranges.push({ batch, start: next - first, end: stop - first });
      next = stop;
    }
    return ranges;
  }

  /** Finds the first table row whose row number is `row` or more. */
  async #lowerBound(row: number): Promise<{ tableRow: number; row: number }> {
    const { count, isCoo } = this;
    const { first, last } = await this.ends();
    if (row > last || count === 0)
      return { tableRow: count, row: Number.POSITIVE_INFINITY };
    if (row <= first) return { tableRow: 0, row: first };
    // Invariant: the row number at `high` is at least `row`; those before `low` are less. Few gaps give a narrow range.
    let low = isCoo ? 0 : Math.max(0, count - 1 - (last - row));
    let high = isCoo ? count - 1 : Math.min(count - 1, row - first);
    for (;;) {
      const batch = this.#batchOf(low);
      const { start, count: rows } = this.batches[batch] as StoredBatch;
      if (high - low < PAGE && high < start + rows) {
        const range = { batch, start: low - start, end: high + 1 - start };
        const page = await this.numbers(range);
        const n = page.findIndex((number) => number >= row);
        if (n >= 0) return { tableRow: low + n, row: page[n] as number };
        throw this.error(
          batch,
          `expected ascending row numbers, found ${page.at(-1)} at row ${high - start} of the batch, which is below ${row}`,
        );
      }
      const middle = Math.floor((low + high) / 2);
      const [range] = this.ranges(middle, middle + 1);
      const [number = 0] = await this.numbers(range as RowRange);
      if (number >= row) high = middle;
      else low = middle + 1;
    }
  }

  /** Returns the index of the batch that contains a table row of the file. */
  #batchOf(tableRow: number): number {
    const startsBefore = (k: number) =>
      (this.batches[k] as StoredBatch).start <= tableRow;
    return countWhile(this.batches.length, startsBefore) - 1;
  }

  error(batch: number, expectedFound: string): InputFormatError {
    const [row] = (this.batches[batch] as StoredBatch).index;
    return (row as StoredColumn).error(expectedFound);
  }
}
