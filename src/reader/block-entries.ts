import { blockRowStart } from "../results/columns.js";
import type { StoredBlock } from "./example.js";

/** Looks entries of blocks up, by row and column; one block at a time. */
export class BlockEntries {
  readonly #classes: number;
  /** Of layouts of entries: the block with its zeros. */
  #whole: Float64Array | null = null;

  constructor(classes: number) {
    this.#classes = classes;
  }

  of(block: StoredBlock): (i: number, j: number) => number {
    const classes = this.#classes;
    if (block.kind === "triangle") {
      const { values } = block;
      return (i, j) => {
        const start = blockRowStart("triangle", classes, Math.min(i, j));
        return values[start + Math.abs(i - j)] as number;
      };
    }
    const values = block.kind === "square" ? block.values : this.#spread(block);
    return (i, j) => values[i * classes + j] as number;
  }

  #spread({
    indices,
    values,
  }: StoredBlock & { kind: "entries" }): Float64Array {
    this.#whole ??= new Float64Array(this.#classes ** 2);
    const whole = this.#whole.fill(0);
    for (let n = 0; n < values.length; n++)
      whole[indices[n] as number] = values[n] as number;
    return whole;
  }
}
