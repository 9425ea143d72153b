import { UsageError } from "../errors.js";
import { shortValue } from "../printable.js";
import { indexOfKey } from "../results/row-axes.js";
import type { ExampleBlock } from "./example-block.js";
import type { BatchBlocks } from "./stored-blocks.js";
import type { FloatArray } from "./stored-column.js";

/**
 * Access to blocks by number: a row of the logits in a file, or an index in a batch. Methods return null for a bad row.
 * They throw InputFormatError if the file is damaged, and IoError if it cannot be read.
 */
export abstract class BlockAccess<Row = number> {
  /** Number of classes Q; a block is `[Q, Q]`. */
  readonly classes: number;

  constructor(classes: number) {
    this.classes = classes;
  }

  protected abstract example(n: Row): Promise<ExampleBlock | null>;

  /** Returns the block as a new array, `[Q, Q]` row-major: i is the input, j the output. */
  async block(n: Row): Promise<FloatArray | null> {
    return (await this.example(n))?.block() ?? null;
  }

  /** Returns entry (i, j) of the block. @throws UsageError for an invalid class */
  async entry(n: Row, i: number, j: number): Promise<number | null> {
    this.#checkClass("i", i);
    this.#checkClass("j", j);
    return (await this.example(n))?.entry(i, j) ?? null;
  }

  /** Returns column j of the block, `[Q]`: entry (i, j) for all i. @throws UsageError for an invalid class */
  async column(n: Row, j: number): Promise<FloatArray | null> {
    this.#checkClass("j", j);
    return (await this.example(n))?.column(j) ?? null;
  }

  /**
   * Returns the rows and columns of some classes, `[k, k]` row-major. Reads only these entries of a large block.
   *
   * @throws UsageError for an invalid class
   */
  async part(n: Row, classes: readonly number[]): Promise<Float64Array | null> {
    for (const k of classes) this.#checkClass("classes", k);
    return (await this.example(n))?.part(classes) ?? null;
  }

  /**
   * Returns the block times v, `[Q]`: sum over j of entry (i, j) · v_j. Each sum is computed as if in twice the precision
   * and rounded once.
   *
   * @param v `[Q]` finite numbers. Not changed.
   * @throws UsageError if v has another length or a value that is not finite
   */
  async multiply(n: Row, v: ArrayLike<number>): Promise<Float64Array | null> {
    const vector = this.#checkVector(v);
    return (await this.example(n))?.multiply(vector) ?? null;
  }

  #checkClass(name: string, k: number): void {
    if (!Number.isInteger(k) || k < 0 || k >= this.classes)
      throw new UsageError(
        `${name}: expected a class from 0 to ${this.classes - 1}, found ${shortValue(k)}`,
        name,
      );
  }

  #checkVector(v: ArrayLike<number>): Float64Array {
    const { classes } = this;
    if (v?.length !== classes)
      throw new UsageError(
        `v: expected ${classes} numbers, found ${v?.length ?? shortValue(v)}`,
        "v",
      );
    const vector = new Float64Array(classes);
    for (let k = 0; k < classes; k++) {
      const found: unknown = v[k];
      if (typeof found !== "number" || !Number.isFinite(found))
        throw new UsageError(
          `v: expected finite numbers, found ${shortValue(found)} at ${k}`,
          "v",
        );
      vector[k] = found;
    }
    return vector;
  }
}

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
  readonly #blocks: BatchBlocks;

  constructor(classes: number, inner: readonly number[], blocks: BatchBlocks) {
    super(classes);
    const indices = Array.from(blocks.rows, (key) => indexOfKey(inner, key));
    const [rows, ...positions] = [0, ...inner].map((_, n) =>
      Float64Array.from(indices, (index) => index[n] as number),
    );
    this.rows = rows as Float64Array;
    this.positions = positions;
    this.count = blocks.rows.length;
    this.#blocks = blocks;
  }

  protected override async example(k: number): Promise<ExampleBlock | null> {
    if (!Number.isInteger(k) || k < 0 || k >= this.count)
      throw new UsageError(
        `k: expected an example from 0 to ${this.count - 1}, found ${shortValue(k)}`,
        "k",
      );
    return this.#blocks.block(k);
  }
}
