import { UsageError } from "../errors.js";
import { shortValue } from "../printable.js";
import { BlockAccess } from "./block-access.js";
import type { ExampleBlock } from "./example-block.js";
import type { BatchExamples } from "./examples.js";

/**
 * The examples of one record batch; its methods take a place k, from 0 to count - 1. Going through them in order reads
 * the file from front to back, a window at a time.
 */
export class JacobianBatch extends BlockAccess {
  /** The examples' rows of the logits, ascending. */
  readonly rows: Float64Array;
  /** How many examples there are. */
  readonly count: number;
  readonly #examples: BatchExamples;

  constructor(classes: number, examples: BatchExamples) {
    super(classes);
    this.rows = examples.rows;
    this.count = examples.rows.length;
    this.#examples = examples;
  }

  protected override async example(k: number): Promise<ExampleBlock | null> {
    if (!Number.isInteger(k) || k < 0 || k >= this.count)
      throw new UsageError(
        `k: expected an example from 0 to ${this.count - 1}, found ${shortValue(k)}`,
        "k",
      );
    return this.#examples.example(k);
  }
}
