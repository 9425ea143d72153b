import type { ExampleBlock } from "./example-block.js";

/** Access to the blocks of a file of any layout. */
export interface Examples {
  /** Returns the block of a row of the logits by its key (src/results/row-axes.ts); null for a bad row. @throws RowMissingError, InputFormatError */
  find(row: number): Promise<ExampleBlock | null>;
  /** Yields the blocks in order, one record batch at a time. @throws InputFormatError */
  batches(): AsyncGenerator<BatchExamples>;
}

export interface BatchExamples {
  /** Row numbers of the logits, ascending; keys if the rows have positions. */
  rows: Float64Array;
  /** Returns the block of the row with index k in the batch; null for a bad row. */
  example(k: number): Promise<ExampleBlock | null>;
}
