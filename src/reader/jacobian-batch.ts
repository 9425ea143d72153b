import { UsageError } from "../errors.js";
import { shortValue } from "../printable.js";
import { indexOfKey } from "../results/row-axes.js";
import { BlockAccess } from "./block-access.js";
import type { ExampleBlock } from "./example-block.js";
import type { BatchExamples } from "./examples.js";

/**
 * Rows of one record batch. Methods take the index of a row in the batch, 0 to count - 1. Reading rows in order reads the
 * file sequentially.
 */
export class JacobianBatch extends BlockAccess {
  /** Row numbers of the logits, ascending, `[count]`: indices along the first axis. */
  readonly rows: Float64Array;
  /** Positions of the rows along each further axis, `[axes][count]`; empty for rows of one axis. */
  readonly positions: readonly Float64Array[];
  /** Number of rows in the batch. */
  readonly count: number;
  readonly #examples: BatchExamples;

  constructor(
    classes: number,
    inner: readonly number[],
    examples: BatchExamples,
  ) {
    super(classes);
    const indices = Array.from(examples.rows, (key) => indexOfKey(inner, key));
    const [rows, ...positions] = [0, ...inner].map((_, n) =>
      Float64Array.from(indices, (index) => index[n] as number),
    );
    this.rows = rows as Float64Array;
    this.positions = positions;
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
