/// <reference lib="esnext.disposable" preserve="true" />

import { UsageError } from "../errors.js";
import { shortValue } from "../printable.js";
import { type Layout, MAX_DENSE_BYTES } from "../results/catalogue.js";
import { checkPositions, keyOfIndex } from "../results/row-axes.js";
import { BlockAccess } from "./block-access.js";
import type { BlockResult } from "./block-result.js";
import type { ExampleBlock } from "./example-block.js";
import type { BlockForm } from "./example-parts.js";
import type { Examples } from "./examples.js";
import { type FloatArray, type FloatType, newFloats } from "./float-array.js";
import { JacobianBatch } from "./jacobian-batch.js";

/** Open output file with its properties and blocks. */
export interface OpenedFile extends BlockForm {
  path: string;
  threshold: number | null;
  count: number;
  examples: Examples;
  close(): Promise<void>;
}

/**
 * Row of the logits: its number, or the index along the first axis and the positions along the further ones, which an output
 * has as columns `position`, or `position_1`, `position_2`, …
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
  readonly #inner: readonly number[];
  readonly #examples: Examples;
  readonly #close: () => Promise<void>;

  constructor(file: OpenedFile) {
    super(file.classes);
    this.path = file.path;
    this.rows = file.rows;
    this.count = file.count;
    this.layout = file.layout;
    this.dtype = file.dtype;
    this.result = file.result;
    this.temperature = file.temperature;
    this.threshold = file.threshold;
    this.#inner = file.inner;
    this.#examples = file.examples;
    this.#close = file.close;
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
    checkPositions(this.path, this.#inner, positions);
    return this.#examples.find(
      keyOfIndex(this.#inner, [first as number, ...positions]),
    );
  }

  /** Positions of its rows have these lengths at most: none for rows of one axis. */
  get positionLengths(): readonly number[] {
    return this.#inner;
  }

  /**
   * Returns the full derivative, `[M, Q, M, Q]` row-major: zero except for the blocks [r, :, r, :], which are NaN for rows
   * that are null or missing.
   *
   * @throws UsageError if it exceeds 1 GiB and `force` is not set
   */
  toDense({ force = false }: { force?: boolean } = {}): Promise<FloatArray> {
    return denseTensor(this, force);
  }

  /** Yields the rows in order, one record batch at a time; in coo only rows that have entries. */
  async *[Symbol.asyncIterator](): AsyncGenerator<JacobianBatch> {
    for await (const examples of this.#examples.batches())
      yield new JacobianBatch(this.classes, this.#inner, examples);
  }

  /** Closes the file after the reads in progress. */
  close(): Promise<void> {
    return this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Returns all blocks of a file as the (M,Q,M,Q) tensor. @throws UsageError if it is too large */
async function denseTensor(
  reader: JacobianReader,
  force: boolean,
): Promise<FloatArray> {
  const { rows, classes, dtype, layout, positionLengths: inner } = reader;
  const values = (rows * classes) ** 2;
  const bytes = values * (dtype === "float32" ? 4 : 8);
  if (bytes > MAX_DENSE_BYTES && !force)
    throw new UsageError(
      `force: expected a dense tensor of at most ${MAX_DENSE_BYTES} bytes, found ${rows} x ${classes} x ${rows} x ${classes}: ${bytes} bytes; read its diagonal blocks one by one, or use force`,
      "force",
    );
  const tensor = newFloats(dtype, values);
  const place = (row: number, block: FloatArray | null) => {
    for (let i = 0; i < classes; i++) {
      const at = ((row * classes + i) * rows + row) * classes;
      if (block) tensor.set(block.subarray(i * classes, (i + 1) * classes), at);
      else tensor.fill(Number.NaN, at, at + classes);
    }
  };
  let next = 0;
  const leftOut = (end: number) => {
    for (; next < end; next++) if (layout !== "coo") place(next, null);
  };
  for await (const batch of reader)
    for (let k = 0; k < batch.count; k++) {
      const index = [batch.rows, ...batch.positions].map(
        (axis) => axis[k] ?? 0,
      );
      const row = keyOfIndex(inner, index);
      leftOut(row);
      place(row, await batch.block(k));
      next = row + 1;
    }
  leftOut(rows);
  return tensor;
}
