/// <reference lib="esnext.disposable" preserve="true" />

import { UsageError } from "../errors.js";
import { shortValue } from "../printable.js";
import type { Layout } from "../results/catalogue.js";
import { BlockAccess } from "./block-access.js";
import type { BlockResult } from "./block-result.js";
import { denseTensor } from "./dense-tensor.js";
import type { ExampleBlock } from "./example-block.js";
import type { BlockForm } from "./example-parts.js";
import type { Examples } from "./examples.js";
import type { FloatArray, FloatType } from "./float-array.js";
import { JacobianBatch } from "./jacobian-batch.js";

/** What an open file is, beside its blocks. */
export interface OpenedFile extends BlockForm {
  path: string;
  threshold: number | null;
  count: number;
  examples: Examples;
  close(): Promise<void>;
}

/**
 * Blocks of a file of results, by rows of the logits, read where they are wanted. Its methods may be called while others
 * are under way. They throw RowMissingError for a row that the file does not have, UsageError once it is closed.
 */
export class JacobianReader
  extends BlockAccess
  implements AsyncIterable<JacobianBatch>, AsyncDisposable
{
  readonly path: string;
  /** M: rows of the logits, of which the file may have left some out. */
  readonly rows: number;
  /** Examples in the file; of coo all M, since rows without entries are blocks of zeros. */
  readonly count: number;
  readonly layout: Layout;
  /** Type of the values, and of the arrays that they are given in. */
  readonly dtype: FloatType;
  /** What the block is of: softmax, or log-softmax. */
  readonly result: BlockResult;
  /** T of softmax(o/T); null where the file does not say. */
  readonly temperature: number | null;
  /** Entries under it were left out; null where the file does not say. */
  readonly threshold: number | null;
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
    this.#examples = file.examples;
    this.#close = file.close;
  }

  protected override async example(row: number): Promise<ExampleBlock | null> {
    if (!Number.isSafeInteger(row))
      throw new UsageError(
        `row: expected a whole number, found ${shortValue(row)}`,
        "row",
      );
    return this.#examples.find(row);
  }

  /**
   * The whole derivative, `[M, Q, M, Q]` row-major: zero but for the blocks [r, :, r, :], and NaN in those of rows that
   * are null or left out.
   *
   * @throws UsageError over 1 GiB, unless `force`
   */
  toDense({ force = false }: { force?: boolean } = {}): Promise<FloatArray> {
    return denseTensor(this, force);
  }

  /** The examples in order, those of one record batch at a time; of coo, those that have entries. */
  async *[Symbol.asyncIterator](): AsyncGenerator<JacobianBatch> {
    for await (const examples of this.#examples.batches())
      yield new JacobianBatch(this.classes, examples);
  }

  /** Closes the file once the reads under way are done. */
  close(): Promise<void> {
    return this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
