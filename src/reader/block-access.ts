import { UsageError } from "../errors.js";
import { shortValue } from "../printable.js";
import { indexOfKey } from "../results/row-axes.js";
import type { ExampleBlock } from "./read-block.js";
import type { FloatArray } from "./stored-column.js";

/**
 * Access to blocks by row of the logits, or by index in a batch. Methods return null for a bad row, and throw
 * InputFormatError if the file is damaged, and IoError if it cannot be read.
 */
export abstract class BlockAccess<Row = number> {
  constructor(
    /** Number of classes Q; a block is `[Q, Q]`. */
    readonly classes: number,
  ) {}

  protected abstract example(n: Row): Promise<ExampleBlock | null>;

  /** Returns the block as a new array, `[Q, Q]` row-major: i is the input, j the output. */
  async block(n: Row): Promise<FloatArray | null> {
    return (await this.example(n))?.rows(0, this.classes) ?? null;
  }

  /** Returns entry (i, j) of the block. @throws UsageError for an invalid class */
  async entry(n: Row, i: number, j: number): Promise<number | null> {
    this.#checkClass("i", i);
    this.#checkClass("j", j);
    return (await this.example(n))?.entry(i, j) ?? null;
  }

  /**
   * Returns the entries among k classes, `[k, k]` row-major. Reads only their rows of the block.
   *
   * @throws UsageError for an invalid class
   */
  async part(n: Row, classes: readonly number[]): Promise<Float64Array | null> {
    if (!Array.isArray(classes) && !ArrayBuffer.isView(classes))
      throw new UsageError(
        `classes: expected an array of classes, found ${shortValue(classes)}`,
      );
    for (const k of classes) this.#checkClass("classes", k);
    const example = await this.example(n);
    if (!example) return null;
    const part = new Float64Array(classes.length ** 2);
    let at = 0;
    for (const i of classes) {
      const row = await example.rows(i, i + 1);
      for (const j of classes) part[at++] = row[j] as number;
    }
    return part;
  }

  #checkClass(name: string, k: number): void {
    if (!Number.isInteger(k) || k < 0 || k >= this.classes)
      throw new UsageError(
        `${name}: expected a class from 0 to ${this.classes - 1}, found ${shortValue(k)}`,
      );
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
  readonly #blockAt: (k: number) => Promise<ExampleBlock | null>;

  /** @param keys keys of the rows (src/results/row-axes.ts), ascending */
  constructor(
    classes: number,
    inner: readonly number[],
    keys: readonly number[],
    blockAt: (k: number) => Promise<ExampleBlock | null>,
  ) {
    super(classes);
    const indices = keys.map((key) => indexOfKey(inner, key));
    const [rows, ...positions] = [0, ...inner].map((_, n) =>
      Float64Array.from(indices, (index) => index[n] as number),
    );
    this.rows = rows as Float64Array;
    this.positions = positions;
    this.count = keys.length;
    this.#blockAt = blockAt;
  }

  protected override async example(k: number): Promise<ExampleBlock | null> {
    if (!Number.isInteger(k) || k < 0 || k >= this.count)
      throw new UsageError(
        `k: expected an example from 0 to ${this.count - 1}, found ${shortValue(k)}`,
      );
    return this.#blockAt(k);
  }
}
