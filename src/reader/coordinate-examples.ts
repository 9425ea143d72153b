import { RowMissingError } from "../errors.js";
import { indexOfKey } from "../results/row-axes.js";
import type { ByteSource } from "./byte-source.js";
import { coordinateEntries, type RowRange } from "./coordinate-entries.js";
import { EntriesBlock } from "./entries-block.js";
import type { ExampleBlock } from "./example-block.js";
import type { BlockForm } from "./example-parts.js";
import type { BatchExamples, Examples } from "./examples.js";
import type { FileBatch } from "./file-batches.js";
import { ReadAhead } from "./read-ahead.js";
import { RowIndex, type RowPosition } from "./row-index.js";

/** Row numbers that are read at once where all of them are. */
const PAGE = 1 << 16;

/** The examples of a file that has one table row for each entry; those of an example may go on in the next batches. */
export class CoordinateExamples implements Examples {
  readonly #path: string;
  readonly #form: BlockForm;
  readonly #source: ByteSource;
  readonly #batches: readonly FileBatch[];
  readonly #index: RowIndex;

  constructor(
    path: string,
    form: BlockForm,
    source: ByteSource,
    batches: readonly FileBatch[],
  ) {
    this.#path = path;
    this.#form = form;
    this.#source = source;
    this.#batches = batches;
    this.#index = new RowIndex(source, batches, { strict: false });
  }

  /** A row of the logits without entries is a block of zeros. */
  async find(row: number): Promise<ExampleBlock | null> {
    const { rowStart, rowEnd, inner } = this.#form;
    if (row < rowStart || row >= rowEnd)
      throw new RowMissingError(
        this.#path,
        indexOfKey(inner, row),
        rowEnd === rowStart
          ? "the file has no rows"
          : inner.length > 0
            ? "the file does not have this row"
            : `expected a row from ${rowStart} to ${rowEnd - 1}, found ${row}`,
      );
    const start = await this.#index.lowerBound(row);
    const end = await this.#index.lowerBound(row + 1);
    return this.#example(this.#source, row, this.#ranges(start, end));
  }

  /** An example is among those of the batch in which it begins; rows without entries are in none. */
  async *batches(): AsyncGenerator<BatchExamples> {
    let before = -1;
    for (const [batch, { count }] of this.#batches.entries()) {
      const { rows, starts } = await this.#beginnings(batch, before);
      const { last } = await this.#index.ends(batch);
      const source = new ReadAhead(this.#source);
      const ranges = async (k: number): Promise<RowRange[]> => {
        const start = starts[k] as number;
        const end = starts[k + 1];
        if (end !== undefined) return [{ batch, start, end }];
        if (batch + 1 === this.#batches.length)
          return [{ batch, start, end: count }];
        const after = await this.#index.lowerBound(last + 1);
        return this.#ranges({ batch, k: start, row: last }, after);
      };
      yield {
        rows,
        example: async (k) =>
          this.#example(source, rows[k] as number, await ranges(k)),
      };
      before = last;
    }
  }

  /** The examples that begin in a batch, and at which table row of it each does. */
  async #beginnings(
    batch: number,
    before: number,
  ): Promise<{ rows: Float64Array; starts: number[] }> {
    const { count } = this.#batches[batch] as FileBatch;
    const rows: number[] = [];
    const starts: number[] = [];
    let current = before;
    for (let start = 0; start < count; start += PAGE) {
      const end = Math.min(start + PAGE, count);
      const page = await this.#index.numbers(batch, start, end);
      page.forEach((row, k) => {
        if (row === current) return;
        current = row;
        rows.push(row);
        starts.push(start + k);
      });
    }
    return { rows: Float64Array.from(rows), starts };
  }

  /** The table rows from one to before another, batch by batch. */
  #ranges(from: RowPosition | null, to: RowPosition | null): RowRange[] {
    if (!from) return [];
    const last = to?.batch ?? this.#batches.length - 1;
    const ranges: RowRange[] = [];
    for (let batch = from.batch; batch <= last; batch++) {
      const start = batch === from.batch ? from.k : 0;
      const { count } = this.#batches[batch] as FileBatch;
      const end = batch === to?.batch ? to.k : count;
      if (end > start) ranges.push({ batch, start, end });
    }
    return ranges;
  }

  async #example(
    source: ByteSource,
    row: number,
    ranges: readonly RowRange[],
  ): Promise<ExampleBlock | null> {
    for (const { batch, start, end } of ranges) {
      const { row: column } = this.#batches[batch] as FileBatch;
      const rows = await this.#index.numbers(batch, start, end, source);
      const other = rows.find((found) => found !== row);
      if (other !== undefined)
        throw column.error(
          `expected ascending row numbers, found ${other} among the entries of row ${row}`,
        );
    }
    const parts = ranges.map(({ batch, ...range }) => ({
      ...range,
      parts: (this.#batches[batch] as FileBatch).parts,
    }));
    const entries = await coordinateEntries(this.#form, source, row, parts);
    return entries && new EntriesBlock(entries);
  }
}
