import { UsageError } from "../errors.js";
import { shortValue } from "../printable.js";
import type { ExampleBlock } from "./example-block.js";
import type { FloatArray } from "./float-array.js";

/**
 * Blocks by number: a row of the logits in a file, a place in a batch. What is asked for is null where the example is
 * (a bad row). Every method throws InputFormatError where the file is damaged, IoError where it cannot be read.
 */
export abstract class BlockAccess {
  /** Q: a block is `[Q, Q]`. */
  readonly classes: number;

  constructor(classes: number) {
    this.classes = classes;
  }

  protected abstract example(n: number): Promise<ExampleBlock | null>;

  /** The block, `[Q, Q]` row-major: i the input, j the output. A new array. */
  async block(n: number): Promise<FloatArray | null> {
    return (await this.example(n))?.block() ?? null;
  }

  /** Entry (i, j) of the block. @throws UsageError for a class that is not there */
  async entry(n: number, i: number, j: number): Promise<number | null> {
    this.#checkClass("i", i);
    this.#checkClass("j", j);
    return (await this.example(n))?.entry(i, j) ?? null;
  }

  /** Column j of the block, `[Q]`: entry (i, j) for all i. @throws UsageError for a class that is not there */
  async column(n: number, j: number): Promise<FloatArray | null> {
    this.#checkClass("j", j);
    return (await this.example(n))?.column(j) ?? null;
  }

  /**
   * The rows and columns of some classes, `[k, k]` row-major: what can be looked at of a large block, of which no more is
   * read. @throws UsageError for a class that is not there
   */
  async part(
    n: number,
    classes: readonly number[],
  ): Promise<Float64Array | null> {
    for (const k of classes) this.#checkClass("classes", k);
    return (await this.example(n))?.part(classes) ?? null;
  }

  /**
   * The block times v, `[Q]`: sum over j of entry (i, j) · v_j, each sum as if in twice the precision and rounded once.
   *
   * @param v `[Q]` finite numbers. Not changed.
   * @throws UsageError for another length, or a number that is not finite
   */
  async multiply(
    n: number,
    v: ArrayLike<number>,
  ): Promise<Float64Array | null> {
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
