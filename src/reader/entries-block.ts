import { CompensatedSum } from "./compensated-sum.js";
import type { ExampleBlock } from "./example-block.js";
import { type FloatArray, type FloatType, newFloats } from "./float-array.js";

/** The entries of a block that are there; the others are 0. */
export interface Entries {
  classes: number;
  type: FloatType;
  /** i·Q + j, ascending. */
  indices: Float64Array;
  values: FloatArray;
}

/** A block of which only some entries are there. */
export class EntriesBlock implements ExampleBlock {
  readonly #entries: Entries;

  constructor(entries: Entries) {
    this.#entries = entries;
  }

  async block(): Promise<FloatArray> {
    const { classes, type, indices, values } = this.#entries;
    const block = newFloats(type, classes * classes);
    indices.forEach((index, n) => {
      block[index] = values[n] as number;
    });
    return block;
  }

  async entry(i: number, j: number): Promise<number> {
    const { classes, indices, values } = this.#entries;
    const wanted = i * classes + j;
    let low = 0;
    let high = indices.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((indices[middle] as number) < wanted) low = middle + 1;
      else high = middle;
    }
    return indices[low] === wanted ? (values[low] as number) : 0;
  }

  async part(classes: readonly number[]): Promise<Float64Array> {
    const part = new Float64Array(classes.length ** 2);
    let at = 0;
    for (const i of classes)
      for (const j of classes) part[at++] = await this.entry(i, j);
    return part;
  }

  async column(j: number): Promise<FloatArray> {
    const { classes, type, indices, values } = this.#entries;
    const column = newFloats(type, classes);
    indices.forEach((index, n) => {
      if (index % classes === j)
        column[Math.floor(index / classes)] = values[n] as number;
    });
    return column;
  }

  async multiply(v: Float64Array): Promise<Float64Array> {
    const { classes, indices, values } = this.#entries;
    const product = new Float64Array(classes);
    for (let n = 0; n < indices.length; ) {
      const i = Math.floor((indices[n] as number) / classes);
      const sum = new CompensatedSum();
      for (let end = (i + 1) * classes; n < indices.length; n++) {
        const index = indices[n] as number;
        if (index >= end) break;
        sum.add(values[n] as number, v[index % classes] as number);
      }
      product[i] = sum.value;
    }
    return product;
  }
}
