import { RowMissingError } from "../errors.js";
import { interpreting, interpretingEach } from "../input/interpreting.js";
import { indexOfKey, nameOfKey } from "../results/row-axes.js";
import type { BlockFormat } from "./block-format.js";
import { ReadAhead } from "./byte-source.js";
import { type ExampleBlock, readBlock } from "./read-block.js";
import type { RowRange, StoredTable } from "./stored-table.js";

/** Row numbers per read. */
const PAGE = 1 << 16;

/** Blocks of the rows that begin in a record batch. */
export interface BatchBlocks {
  /** Row numbers of the logits, ascending; keys if the rows have positions. */
  rows: Float64Array;
  /** Returns the block of row `rows[k]`; null for a bad row. */
  block(k: number): Promise<ExampleBlock | null>;
}

/** Access to the blocks of a file of any layout, by key or in order. */
export class StoredBlocks {
  constructor(
    private readonly path: string,
    readonly format: BlockFormat,
    private readonly table: StoredTable,
  ) {}

  /**
   * Returns the block of a row of the logits by its key (src/results/row-axes.ts); null for a bad row. In coo, a row
   * without entries is a block of zeros.
   * @throws RowMissingError, InputFormatError
   */
  find(row: number): Promise<ExampleBlock | null> {
    const { path, format, table } = this;
    return interpreting(path, nameOfKey(format.inner, row), async () => {
      const isInside = row >= format.rowStart && row < format.rowEnd;
      if (table.isCoo && !isInside) throw await this.#missing(row);
      const ranges = await table.find(row);
      if (!table.isCoo && ranges.length === 0) throw await this.#missing(row);
      return readBlock(format, table, row, ranges, table.source);
    });
  }

  /** Yields the blocks in order by record batch; in coo only those of rows with entries. @throws InputFormatError */
  batches(): AsyncGenerator<BatchBlocks> {
    return interpretingEach(this.path, "rows", this.#batches());
  }

  async *#batches(): AsyncGenerator<BatchBlocks> {
    const { format, table } = this;
    const numbersOf = table.numbersInOrder();
    let before = -1;
    for (const [batch, { count }] of table.batches.entries()) {
      const rows: number[] = [];
      const starts: number[] = [];
      for (let start = 0; start < count; start += PAGE) {
        const end = Math.min(start + PAGE, count);
        const numbers = await numbersOf({ batch, start, end });
        for (const [k, row] of numbers.entries()) {
          if (row === before) continue;
          before = row;
          rows.push(row);
          starts.push(start + k);
        }
      }
      // Rows of a block in the dense tensor are far apart, so reading ahead would read zeros.
      const source =
        format.layout === "dense" ? table.source : new ReadAhead(table.source);
      const rangesOf = async (k: number): Promise<RowRange[]> => {
        const start = starts[k] as number;
        const end = starts[k + 1];
        const continues = table.isCoo && batch + 1 < table.batches.length;
        if (end === undefined && continues)
          return table.find(rows[k] as number);
        return [{ batch, start, end: end ?? count }];
      };
      yield {
        rows: Float64Array.from(rows),
        block: async (k) =>
          readBlock(
            format,
            table,
            rows[k] as number,
            await rangesOf(k),
            source,
          ),
      };
    }
  }

  async #missing(row: number): Promise<RowMissingError> {
    const { path, table } = this;
    const { inner, rowStart, rowEnd } = this.format;
    const { count } = table;
    const { first, last } = await table.ends();
    const range =
      count === 0
        ? "no examples"
        : `${count} examples${inner.length > 0 ? "" : ` of rows ${first} to ${last}`}`;
    const reason = !table.isCoo
      ? `the file has ${range}, but not this row`
      : rowEnd === rowStart
        ? "the file has no rows"
        : inner.length > 0
          ? "the file does not have this row"
          : `expected a row from ${rowStart} to ${rowEnd - 1}, found ${row}`;
    return new RowMissingError(path, indexOfKey(inner, row), reason);
  }
}
