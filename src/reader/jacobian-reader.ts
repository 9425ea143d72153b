/// <reference lib="esnext.disposable" preserve="true" />

import { UsageError } from "../errors.js";
import { shortValue } from "../printable.js";
import { type Layout, MAX_DENSE_BYTES } from "../results/catalogue.js";
import { checkPositions, keyOfIndex } from "../results/row-axes.js";
import { BlockAccess, JacobianBatch, wholeRows } from "./block-access.js";
import type { BlockResult } from "./block-columns.js";
import type { ExampleBlock } from "./read-block.js";
import type { StoredBlocks } from "./stored-blocks.js";
import { type FloatArray, type FloatType, newFloats } from "./stored-column.js";

/**
 * Row of the logits: its number, or its index along the first axis and its positions along the further axes (the columns
 * `position`, or `position_1`, `position_2`, …).
 */
export type RowOrIndex =
  | number
  | { row: number; position: number | readonly number[] };

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
  /** Temperature T of softmax(o/T); null if the file does not record it. */
  readonly temperature: number | null;
  /** Threshold below which entries were dropped; null if the file does not record it. */
  readonly threshold: number | null;
  readonly #blocks: StoredBlocks;
  readonly #close: () => Promise<void>;

  constructor(
    blocks: StoredBlocks,
    file: {
      path: string;
      count: number;
      threshold: number | null;
      close(): Promise<void>;
    },
  ) {
    const { format } = blocks;
    super(format.classes);
    this.path = file.path;
    this.rows = format.rows;
    this.count = file.count;
    this.layout = format.layout;
    this.dtype = format.dtype;
    this.result = format.result;
    this.temperature = format.temperature;
    this.threshold = file.threshold;
    this.#blocks = blocks;
    this.#close = file.close;
  }

  /** Lengths of the axes of the positions; empty for rows of one axis. */
  get positionLengths(): readonly number[] {
    return this.#blocks.format.inner;
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
        "row",
      );
    const inner = this.positionLengths;
    checkPositions(this.path, inner, positions);
    return this.#blocks.find(
      keyOfIndex(inner, [first as number, ...positions]),
    );
  }

  /**
   * Returns the full derivative, `[M, Q, M, Q]` row-major: zero except for the blocks [r, :, r, :], which are NaN for rows
   * that are null or missing.
   *
   * @throws UsageError if it exceeds 1 GiB and `force` is not set
   */
  async toDense({
    force = false,
  }: {
    force?: boolean;
  } = {}): Promise<FloatArray> {
    const { rows, classes, dtype, layout } = this;
    const values = (rows * classes) ** 2;
    const bytes = values * (dtype === "float32" ? 4 : 8);
    if (bytes > MAX_DENSE_BYTES && !force)
      throw new UsageError(
        `force: expected a dense tensor of at most ${MAX_DENSE_BYTES} bytes, found ${rows} x ${classes} x ${rows} x ${classes}: ${bytes} bytes; read its diagonal blocks one by one, or use force`,
        "force",
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
    for await (const batch of this.#blocks.batches())
      for (const [k, row] of batch.rows.entries()) {
        setMissing(row);
        const example = await batch.block(k);
        setBlock(row, example && (await wholeRows(example, 0, classes)));
        next = row + 1;
      }
    setMissing(rows);
    return tensor;
  }

  /** Yields the rows in order, one record batch at a time; in coo only rows that have entries. */
  async *[Symbol.asyncIterator](): AsyncGenerator<JacobianBatch> {
    for await (const blocks of this.#blocks.batches())
      yield new JacobianBatch(this.classes, this.positionLengths, blocks);
  }

  /** Closes the file after the reads in progress. */
  close(): Promise<void> {
    return this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
