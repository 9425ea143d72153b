import { UsageError } from "../errors.js";
import { errorOfProduct, errorOfSum } from "../kernels/portable/work.js";
import { shortValue } from "../printable.js";
import { indexOfKey } from "../results/row-axes.js";
import type { BlockRows, ExampleBlock } from "./read-block.js";
import { type FloatArray, newFloats } from "./stored-column.js";

/**
 * Access to blocks by row of the logits, or by index in a batch. Methods return null for a bad row, and throw
 * InputFormatError if the file is damaged, and IoError if it cannot be read.
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
    const example = await this.example(n);
    return example && wholeRows(example, 0, this.classes);
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
    const { classes } = this;
    const example = await this.example(n);
    if (!example) return null;
    const column = newFloats(example.dtype, classes);
    for await (const { first, values, indices } of tiles(example)) {
      const step = indices ? 1 : classes;
      for (let n = indices ? 0 : j; n < values.length; n += step) {
        const index = indices ? (indices[n] as number) : first + n;
        if (index % classes === j)
          column[Math.floor(index / classes)] = values[n] as number;
      }
    }
    return column;
  }

  /**
   * Returns the entries among k classes, `[k, k]` row-major. Reads only their rows of the block.
   *
   * @throws UsageError for an invalid class
   */
  async part(n: Row, classes: readonly number[]): Promise<Float64Array | null> {
    for (const k of classes) this.#checkClass("classes", k);
    const example = await this.example(n);
    if (!example) return null;
    const part = new Float64Array(classes.length ** 2);
    let at = 0;
    for (const i of classes) {
      const row = await wholeRows(example, i, i + 1);
      for (const j of classes) part[at++] = row[j] as number;
    }
    return part;
  }

  /**
   * Returns the block times v, `[Q]`: sum over j of entry (i, j) · v_j. Each sum is computed as if in twice the precision
   * and rounded once.
   *
   * @param v `[Q]` finite numbers. Not changed.
   * @throws UsageError if v has another length or a value that is not finite
   */
  async multiply(n: Row, v: ArrayLike<number>): Promise<Float64Array | null> {
    const { classes } = this;
    const vector = this.#checkVector(v);
    const example = await this.example(n);
    if (!example) return null;
    const product = new Float64Array(classes);
    let sum = new CompensatedSum();
    let start = 0;
    for await (const { first, values, indices } of tiles(example))
      for (let n = 0; n < values.length; n++) {
        const index = indices ? (indices[n] as number) : first + n;
        if (index >= start + classes) {
          product[start / classes] = sum.value;
          sum = new CompensatedSum();
          start = index - (index % classes);
        }
        sum.add(values[n] as number, vector[index - start] as number);
      }
    product[start / classes] = sum.value;
    return product;
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
      const value: unknown = v[k];
      if (typeof value !== "number" || !Number.isFinite(value))
        throw new UsageError(
          `v: expected finite numbers, found ${shortValue(value)} at ${k}`,
          "v",
        );
      vector[k] = value;
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
        "k",
      );
    return this.#blockAt(k);
  }
}

/** Values per tile of a block, which bound the memory of methods that return only Q values. */
const TILE_VALUES = 1 << 18;

async function* tiles(
  example: ExampleBlock,
): AsyncGenerator<BlockRows & { first: number }> {
  const { classes } = example;
  const height = Math.max(1, Math.floor(TILE_VALUES / classes));
  for (let iStart = 0; iStart < classes; iStart += height) {
    const iEnd = Math.min(iStart + height, classes);
    const rows = await example.rows(iStart, iEnd);
    yield { first: iStart * classes, ...rows };
  }
}

/** Returns rows `[iStart, iEnd)` as a dense array. */
async function wholeRows(
  { classes, dtype, rows }: ExampleBlock,
  iStart: number,
  iEnd: number,
): Promise<FloatArray> {
  const { values, indices } = await rows(iStart, iEnd);
  if (!indices) return values;
  const whole = newFloats(dtype, (iEnd - iStart) * classes);
  for (let n = 0; n < values.length; n++)
    whole[(indices[n] as number) - iStart * classes] = values[n] as number;
  return whole;
}

/** Factors above this limit are scaled first, because splitting them would overflow. */
const LARGE = 2 ** 990;
const SCALE = 2 ** -64;

/**
 * Dot product as if in twice the precision, rounded once: Dot2 of Ogita, Rump and Oishi, "Accurate sum and dot product",
 * 2005. The error is at most about ε |result| + n² ε² Σ |a b|.
 */
class CompensatedSum {
  #sum = 0;
  #errors = 0;

  add(a: number, b: number): void {
    const product = a * b;
    const sum = this.#sum + product;
    this.#errors +=
      errorOfSum(this.#sum, product, sum) + productError(a, b, product);
    this.#sum = sum;
  }

  /** Sum; infinite above the largest float64. */
  get value(): number {
    return Number.isFinite(this.#sum) ? this.#sum + this.#errors : this.#sum;
  }
}

function productError(a: number, b: number, product: number): number {
  const scaleA = Math.abs(a) > LARGE ? SCALE : 1;
  const scaleB = Math.abs(b) > LARGE ? SCALE : 1;
  const scale = scaleA * scaleB;
  return errorOfProduct(a * scaleA, b * scaleB, product * scale) / scale;
}
