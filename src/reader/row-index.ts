import type { ByteSource } from "./byte-source.js";
import type { FileBatch } from "./file-batches.js";

/** Row numbers this near to each other are read at once. */
const PAGE = 256;

/** A table row of the file: row `k` of a batch, and the row number that stands there. */
export interface RowPosition {
  batch: number;
  k: number;
  row: number;
}

/**
 * Finds row numbers, which ascend through the file. `strict`: none stands twice, so that where they have few gaps a row
 * number nearly tells its own place. Only what a search needs is read; the ends of batches are kept.
 */
export class RowIndex {
  readonly #source: ByteSource;
  readonly #batches: readonly FileBatch[];
  readonly #strict: boolean;
  readonly #ends: ({ first: number; last: number } | undefined)[] = [];

  constructor(
    source: ByteSource,
    batches: readonly FileBatch[],
    { strict }: { strict: boolean },
  ) {
    this.#source = source;
    this.#batches = batches;
    this.#strict = strict;
  }

  /** The first table row whose row number is `row` or more; null where there is none. */
  async lowerBound(row: number): Promise<RowPosition | null> {
    const batch = await this.#batchOf(row);
    if (batch === null) return null;
    const { first, last } = await this.ends(batch);
    const { count, row: column } = this.#batches[batch] as FileBatch;
    const before = batch > 0 && row < first ? await this.ends(batch - 1) : null;
    if (row > last || (before && before.last >= row))
      throw column.error(
        `expected ascending row numbers, found a batch of rows ${first} to ${last} where row ${row} belongs`,
      );
    if (row <= first) return { batch, k: 0, row: first };
    // The row number at `high` is `row` or more; those before `low` are less.
    let low = this.#strict ? Math.max(0, count - 1 - (last - row)) : 0;
    let high = this.#strict ? Math.min(count - 1, row - first) : count - 1;
    while (high - low >= PAGE) {
      const middle = Math.floor((low + high) / 2);
      const [found = 0] = await this.numbers(batch, middle, middle + 1);
      if (found >= row) high = middle;
      else low = middle + 1;
    }
    const page = await this.numbers(batch, low, high + 1);
    const at = page.findIndex((found) => found >= row);
    const found = page[at];
    if (found === undefined)
      throw column.error(
        `expected ascending row numbers, found ${page.at(-1)} at row ${high} of the batch, which is below ${row}`,
      );
    return { batch, k: low + at, row: found };
  }

  /** The first and the last row number of a batch, checked against those of its neighbours where these are known. */
  async ends(batch: number): Promise<{ first: number; last: number }> {
    const known = this.#ends[batch];
    if (known) return known;
    const { count, row: column } = this.#batches[batch] as FileBatch;
    const [first = 0] = await column.numbers(this.#source, 0, 1);
    const [last = 0] = await column.numbers(this.#source, count - 1, count);
    if (first < 0 || last - first < (this.#strict ? count - 1 : 0))
      throw column.error(
        `expected ${count} ascending row numbers from 0 or more, found ${first} first and ${last} last`,
      );
    const before = this.#ends[batch - 1]?.last ?? -1;
    const after = this.#ends[batch + 1]?.first ?? Number.MAX_SAFE_INTEGER;
    this.#checkOrder(batch, before, first);
    this.#checkOrder(batch, last, after);
    const ends = { first, last };
    this.#ends[batch] = ends;
    return ends;
  }

  /** The row numbers of a batch's table rows `[start, end)`. @throws InputFormatError where they do not ascend */
  async numbers(
    batch: number,
    start: number,
    end: number,
    source = this.#source,
  ): Promise<Float64Array> {
    const { first, last } = await this.ends(batch);
    const { row: column } = this.#batches[batch] as FileBatch;
    const numbers = await column.numbers(source, start, end);
    const step = this.#strict ? 1 : 0;
    let least = this.#strict ? first + start : first;
    for (const found of numbers) {
      if (found < least || found > last)
        throw column.error(
          `expected ascending row numbers from ${least} to ${last}, found ${found}`,
        );
      least = found + step;
    }
    return numbers as Float64Array;
  }

  /** The first batch whose last row number is `row` or more. */
  async #batchOf(row: number): Promise<number | null> {
    const batches = this.#batches;
    let high = batches.length - 1;
    if (high < 0) return null;
    const { first } = await this.ends(0);
    const { last } = await this.ends(high);
    if (row > last) return null;
    let low = 0;
    if (this.#strict && row > first) {
      const { start, count } = batches[high] as FileBatch;
      low = this.#holding(Math.max(0, start + count - 1 - (last - row)));
      high = Math.min(high, this.#holding(row - first));
    }
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((await this.ends(middle)).last >= row) high = middle;
      else low = middle + 1;
    }
    return high;
  }

  /** The batch that holds a table row of the file. */
  #holding(position: number): number {
    let low = 0;
    let high = this.#batches.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.#batches[middle] as FileBatch).start <= position) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #checkOrder(batch: number, before: number, after: number): void {
    if (this.#strict ? before < after : before <= after) return;
    throw (this.#batches[batch] as FileBatch).row.error(
      `expected ascending row numbers, found a batch that starts at ${after} after one that ends at ${before}`,
    );
  }
}
