import { CompensatedSum } from "./compensated-sum.js";
import type { ExampleBlock } from "./example-block.js";
import type { FloatArray } from "./float-array.js";

/** What a layout that has every entry of a block says of it. */
export interface BlockRows {
  classes: number;
  /** Rows `[iStart, iEnd)` of the block, row-major. */
  rows(iStart: number, iEnd: number): Promise<FloatArray>;
  entry(i: number, j: number): Promise<number>;
}

/** A block is visited in tiles of this size, so that what needs Q values takes no Q² of memory. */
const TILE_VALUES = 1 << 18;

/** A block of which every entry is there. */
export class RowsBlock implements ExampleBlock {
  readonly #stored: BlockRows;

  constructor(stored: BlockRows) {
    this.#stored = stored;
  }

  block(): Promise<FloatArray> {
    return this.#stored.rows(0, this.#stored.classes);
  }

  entry(i: number, j: number): Promise<number> {
    return this.#stored.entry(i, j);
  }

  async part(classes: readonly number[]): Promise<Float64Array> {
    const part = new Float64Array(classes.length ** 2);
    let at = 0;
    for (const i of classes) {
      const row = await this.#stored.rows(i, i + 1);
      for (const j of classes) part[at++] = row[j] as number;
    }
    return part;
  }

  async column(j: number): Promise<FloatArray> {
    const { classes } = this.#stored;
    let column: FloatArray | undefined;
    for await (const { iStart, tile } of this.#tiles()) {
      column ??=
        tile instanceof Float32Array
          ? new Float32Array(classes)
          : new Float64Array(classes);
      for (let at = j, i = iStart; at < tile.length; at += classes, i++)
        column[i] = tile[at] as number;
    }
    return column as FloatArray;
  }

  async multiply(v: Float64Array): Promise<Float64Array> {
    const { classes } = this.#stored;
    const product = new Float64Array(classes);
    for await (const { iStart, tile } of this.#tiles())
      for (let start = 0, i = iStart; start < tile.length; start += classes) {
        const sum = new CompensatedSum();
        for (let j = 0; j < classes; j++)
          sum.add(tile[start + j] as number, v[j] as number);
        product[i++] = sum.value;
      }
    return product;
  }

  async *#tiles(): AsyncGenerator<{ iStart: number; tile: FloatArray }> {
    const { classes } = this.#stored;
    const height = Math.max(1, Math.floor(TILE_VALUES / classes));
    for (let iStart = 0; iStart < classes; iStart += height) {
      const iEnd = Math.min(iStart + height, classes);
      yield { iStart, tile: await this.#stored.rows(iStart, iEnd) };
    }
  }
}
