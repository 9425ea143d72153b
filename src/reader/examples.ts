import type { ExampleBlock } from "./example-block.js";

/** The examples of a file, whatever its layout. */
export interface Examples {
  /** The block of a row of the logits; null where the example is null. @throws RowMissingError, InputFormatError */
  find(row: number): Promise<ExampleBlock | null>;
  /** All of them in order, those of one record batch at a time. @throws InputFormatError */
  batches(): AsyncGenerator<BatchExamples>;
}

export interface BatchExamples {
  /** Rows of the logits, ascending. */
  rows: Float64Array;
  /** The block of the k-th of them. */
  example(k: number): Promise<ExampleBlock | null>;
}
