/// <reference lib="esnext.disposable" preserve="true" />

import type { FloatType } from "../arrow/field.js";
import { RowMissingError, UsageError } from "../errors.js";
import { numberOf } from "../format-number.js";
import { interpreting, interpretingEach } from "../input/interpreting.js";
import { checkNames, checkValue } from "../options/check-options.js";
import { shortValue } from "../printable.js";
import { type Layout, MAX_DENSE_BYTES } from "../results/catalogue.js";
import { checkPositions, keyOfIndex, nameOfKey } from "../results/row-axes.js";
import { BlockAccess, JacobianBatch } from "./block-access.js";
import { ReadAhead } from "./byte-source.js";
import {
  type BlockFormat,
  type BlockResult,
  type ExampleBlock,
  readBlock,
} from "./read-block.js";
import { type FloatArray, newFloats } from "./stored-column.js";
import type { StoredRows } from "./stored-rows.js";
import type { RowRange } from "./stored-table.js";

/** Row numbers per read. */
const PAGE = 1 << 16;

/**
 * Row of the logits: its number, or its index along the first axis and its positions along the further axes (the columns
 * `position`, or `position_1`, `position_2`, …).
 */
export type RowOrIndex =
  | number
  | { row: number; position: number | readonly number[] };

/** Creates a reader. (Public declarations omit the parameters of a private constructor, which are internal types.) */
export let newReader: (
  path: string,
  format: BlockFormat,
  stored: StoredRows,
  close: () => Promise<void>,
) => JacobianReader;

/**
 * Reader of the Jacobian blocks of an output, by row of the logits. Iterating over it yields the record batches in order.
 * Methods may be called concurrently. They throw RowMissingError for a row that the file does not have, and UsageError after
 * `close`.
 */
export class JacobianReader
  extends BlockAccess<RowOrIndex>
  implements AsyncIterable<JacobianBatch>, AsyncDisposable
{
  readonly path: string;
  /** Number of rows M of the logits; the file may omit some. */
  readonly rows: number;
  /** Number of rows in the file; in coo all M, because rows without entries are blocks of zeros. */
  readonly count: number;
  readonly layout: Layout;
  /** Type of the stored values and of the returned arrays. */
  readonly dtype: FloatType;
  /** Function whose block is stored: softmax or log-softmax. */
  readonly result: BlockResult;
  /** Temperature T of softmax(o/T). */
  readonly temperature: number;
  /** Threshold below which entries were dropped. */
  readonly threshold: number;
  /** Lengths of the axes of the positions; empty for rows of one axis. */
  readonly positionLengths: readonly number[];
  readonly #format: BlockFormat;
  readonly #stored: StoredRows;
  readonly #close: () => Promise<void>;

  static {
    newReader = (...parts) => new JacobianReader(...parts);
  }

  private constructor(
    path: string,
    format: BlockFormat,
    stored: StoredRows,
    close: () => Promise<void>,
  ) {
    super(format.classes);
    const { table } = stored;
    this.path = path;
    this.rows = format.rows;
    this.count = table.isCoo ? format.rowEnd - format.rowStart : table.count;
    this.layout = format.layout;
    this.dtype = format.dtype;
    this.result = format.result;
    this.temperature = format.temperature;
    this.threshold = format.threshold;
    this.positionLengths = table.inner;
    this.#format = format;
    this.#stored = stored;
    this.#close = close;
  }

  protected override async example(
    row: RowOrIndex,
  ): Promise<ExampleBlock | null> {
    const [first, ...positions] =
      typeof row === "object" && row !== null
        ? [row.row, row.position].flat()
        : [row];
    if (!Number.isSafeInteger(first))
      throw new UsageError(
        `row: expected a whole number, found ${shortValue(first)}`,
      );
    const { path, positionLengths } = this;
    // Rows that the file does not have, and zeros of coo, need no read, which would check it.
    this.#stored.table.source.checkOpen();
    checkPositions(path, positionLengths, positions);
    const index = [first as number, ...positions];
    const key = keyOfIndex(positionLengths, index);
    return interpreting(path, nameOfKey(positionLengths, key), () =>
      this.#find(key, index),
    );
  }

  /** Returns the block of a row; in coo, a row without entries is a block of zeros. */
  async #find(key: number, index: number[]): Promise<ExampleBlock | null> {
    const [format, stored] = [this.#format, this.#stored];
    const { table } = stored;
    const { rowStart, rowEnd } = format;
    const isInside = key >= rowStart && key < rowEnd;
    const ranges = table.isCoo && !isInside ? [] : await table.find(key);
    if (table.isCoo ? isInside : ranges.length > 0)
      return readBlock(format, stored, key, ranges, table.source);
    const reason = `no such row; the file has ${numberOf(this.count, "row")}`;
    throw new RowMissingError(this.path, index, reason);
  }

  /**
   * Returns the full derivative, `[M, Q, M, Q]` row-major: zero except for the blocks [r, :, r, :], which are NaN for rows
   * that are null or missing.
   *
   * @throws UsageError if it exceeds 1 GiB and `force` is not set
   */
  async toDense(options: { force?: boolean } = {}): Promise<FloatArray> {
    checkNames(options, ["force"]);
    checkValue({ name: "force", kind: "boolean" }, options.force);
    const { force = false } = options;
    const { rows, classes, dtype, layout } = this;
    const values = (rows * classes) ** 2;
    const bytes = values * (dtype === "float32" ? 4 : 8);
    if (bytes > MAX_DENSE_BYTES && !force)
      throw new UsageError(
        `force: expected a dense tensor of at most ${MAX_DENSE_BYTES} bytes, found ${rows} x ${classes} x ${rows} x ${classes}: ${bytes} bytes; read its diagonal blocks one by one, or use force`,
      );
    const tensor = newFloats(dtype, values);
    const setBlock = (row: number, block: FloatArray | null) => {
      for (let i = 0; i < classes; i++) {
        const offset = ((row * classes + i) * rows + row) * classes;
        if (block)
          tensor.set(block.subarray(i * classes, (i + 1) * classes), offset);
        else tensor.fill(Number.NaN, offset, offset + classes);
      }
    };
    let next = 0;
    const setMissing = (end: number) => {
      for (; next < end; next++) if (layout !== "coo") setBlock(next, null);
    };
    for await (const batch of this)
      for (let k = 0; k < batch.count; k++) {
        const axes = [batch.rows, ...batch.positions];
        const index = axes.map((positions) => positions[k] as number);
        const row = keyOfIndex(this.positionLengths, index);
        setMissing(row);
        setBlock(row, await batch.block(k));
        next = row + 1;
      }
    setMissing(rows);
    return tensor;
  }

  /** Yields the rows in order, one record batch at a time; in coo only rows that have entries. */
  [Symbol.asyncIterator](): AsyncGenerator<JacobianBatch> {
    return interpretingEach(this.path, "rows", this.#batches());
  }

  async *#batches() {
    const [format, stored] = [this.#format, this.#stored];
    const { table } = stored;
    const { inner } = table;
    const numbersOf = table.numbersInOrder();
    let before = -1;
    table.source.checkOpen();
    for (const [batch, { count }] of table.batches.entries()) {
      const keys: number[] = [];
      const starts: number[] = [];
      for (let start = 0; start < count; start += PAGE) {
        const end = Math.min(start + PAGE, count);
        const numbers = await numbersOf({ batch, start, end });
        for (const [k, row] of numbers.entries()) {
          if (row === before) continue;
          before = row;
          keys.push(row);
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
          return table.find(keys[k] as number);
        return [{ batch, start, end: end ?? count }];
      };
      const blockAt = async (k: number) => {
        const row = keys[k] as number;
        return readBlock(format, stored, row, await rangesOf(k), source);
      };
      yield new JacobianBatch(this.classes, inner, keys, blockAt);
    }
  }

  /** Closes the file after the reads in progress. */
  close(): Promise<void> {
    return this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
