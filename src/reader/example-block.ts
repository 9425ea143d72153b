import { errorOfProduct, errorOfSum } from "../numeric/portable/work.js";
import { type FloatArray, type FloatType, newFloats } from "./stored-column.js";

/** Entries of some rows of a block in row-major order: all, or those at `indices` i·Q + j, which ascend. */
export interface BlockRows {
  values: FloatArray;
  indices: Float64Array | null;
}

/** Reads parts of the block of one row of logits, in any layout. */
export interface BlockSource {
  classes: number;
  dtype: FloatType;
  /** Returns rows `[iStart, iEnd)` of the block. */
  rows(iStart: number, iEnd: number): Promise<BlockRows>;
  entry(i: number, j: number): Promise<number>;
}

/** Large blocks are visited in tiles of so many values, so that results of Q values take no Q² of memory. */
const TILE_VALUES = 1 << 18;

/** Block of one row of logits. Methods read only the entries that they need. */
export class ExampleBlock {
  constructor(private readonly source: BlockSource) {}

  /** Returns the block, `[Q, Q]` row-major. */
  block(): Promise<FloatArray> {
    return this.#whole(0, this.source.classes);
  }

  entry(i: number, j: number): Promise<number> {
    return this.source.entry(i, j);
  }

  /** Returns the rows and columns of some classes, `[k, k]` row-major. */
  async part(classes: readonly number[]): Promise<Float64Array> {
    const part = new Float64Array(classes.length ** 2);
    let at = 0;
    for (const i of classes) {
      const row = await this.#whole(i, i + 1);
      for (const j of classes) part[at++] = row[j] as number;
    }
    return part;
  }

  /** Returns column j, `[Q]`: entry (i, j) for all i. */
  async column(j: number): Promise<FloatArray> {
    const { classes, dtype } = this.source;
    const column = newFloats(dtype, classes);
    for await (const { first, values, indices } of this.#tiles())
      for (
        let n = indices ? 0 : j;
        n < values.length;
        n += indices ? 1 : classes
      ) {
        const index = indices ? (indices[n] as number) : first + n;
        if (index % classes === j)
          column[Math.floor(index / classes)] = values[n] as number;
      }
    return column;
  }

  /** Returns the block times v, `[Q]`: sum over j of entry (i, j) · v_j, with compensated summation. */
  async multiply(v: Float64Array): Promise<Float64Array> {
    const { classes } = this.source;
    const product = new Float64Array(classes);
    let sum = new CompensatedSum();
    let start = 0;
    for await (const { first, values, indices } of this.#tiles())
      for (let n = 0; n < values.length; n++) {
        const index = indices ? (indices[n] as number) : first + n;
        if (index >= start + classes) {
          product[start / classes] = sum.value;
          sum = new CompensatedSum();
          start = index - (index % classes);
        }
        sum.add(values[n] as number, v[index - start] as number);
      }
    product[start / classes] = sum.value;
    return product;
  }

  /** Returns rows `[iStart, iEnd)` with their zeros. */
  async #whole(iStart: number, iEnd: number): Promise<FloatArray> {
    const { classes, dtype } = this.source;
    const { values, indices } = await this.source.rows(iStart, iEnd);
    if (!indices) return values;
    const whole = newFloats(dtype, (iEnd - iStart) * classes);
    for (let n = 0; n < values.length; n++)
      whole[(indices[n] as number) - iStart * classes] = values[n] as number;
    return whole;
  }

  async *#tiles(): AsyncGenerator<BlockRows & { first: number }> {
    const { classes } = this.source;
    const height = Math.max(1, Math.floor(TILE_VALUES / classes));
    for (let iStart = 0; iStart < classes; iStart += height) {
      const iEnd = Math.min(iStart + height, classes);
      const rows = await this.source.rows(iStart, iEnd);
      yield { first: iStart * classes, ...rows };
    }
  }
}

/** Factors above it are scaled before they are split; splitting itself would overflow. */
const LARGE = 2 ** 990;
const SCALE = 2 ** -64;

/**
 * A sum of products as if in twice the precision, rounded once (Ogita, Rump, Oishi, "Accurate sum and dot product", 2005:
 * Dot2): the error is about 1 ε of the result and n² ε² of the sum of the products' sizes.
 */
class CompensatedSum {
  #sum = 0;
  #lost = 0;

  add(a: number, b: number): void {
    const product = a * b;
    const sum = this.#sum + product;
    this.#lost +=
      errorOfSum(this.#sum, product, sum) + productError(a, b, product);
    this.#sum = sum;
  }

  /** The sum; past the largest float64 it is infinite. */
  get value(): number {
    return Number.isFinite(this.#sum) ? this.#sum + this.#lost : this.#sum;
  }
}

function productError(a: number, b: number, product: number): number {
  const scaleA = Math.abs(a) > LARGE ? SCALE : 1;
  const scaleB = Math.abs(b) > LARGE ? SCALE : 1;
  const scale = scaleA * scaleB;
  return errorOfProduct(a * scaleA, b * scaleB, product * scale) / scale;
}
