import type { Example, StoredBlock } from "../../output-rows/example.js";
import { blockRowStart } from "../../results/columns.js";

/** The mean of |J| over rows, of all classes or of some. */
export class MeanJacobian {
  /** Which classes, in which order. */
  readonly shown: readonly number[];
  rows = 0;
  readonly #temperature: number;
  readonly #classes: number;
  /** Class to place among those shown; -1: not among them. */
  readonly #placeOf: Int32Array;
  /** `[k, k]`; the upper triangle. */
  readonly #sums: Float64Array;

  constructor(classes: number, shown: readonly number[], temperature: number) {
    this.#classes = classes;
    this.shown = shown;
    this.#temperature = temperature;
    this.#placeOf = new Int32Array(classes).fill(-1);
    shown.forEach((k, place) => {
      this.#placeOf[k] = place;
    });
    this.#sums = new Float64Array(shown.length ** 2);
  }

  add({ p, winner, uncertainty, block }: Example): void {
    if (block) this.#addBlock(block);
    else if (p) this.#addP(p, winner, uncertainty);
    else return;
    this.rows++;
  }

  /** Of two shown classes, by their places. */
  mean(a: number, b: number): number {
    const at = Math.min(a, b) * this.shown.length + Math.max(a, b);
    return this.rows > 0 ? (this.#sums[at] as number) / this.rows : 0;
  }

  #addP(p: ArrayLike<number>, winner: number, uncertainty: number): void {
    const { shown } = this;
    const T = this.#temperature;
    for (let a = 0; a < shown.length; a++) {
      const i = shown[a] as number;
      const own = (p[i] as number) / T;
      if (own === 0) continue;
      const row = a * shown.length;
      const rest = i === winner ? uncertainty : 1 - (p[i] as number);
      this.#sums[row + a] = (this.#sums[row + a] as number) + own * rest;
      for (let b = a + 1; b < shown.length; b++)
        this.#sums[row + b] =
          (this.#sums[row + b] as number) +
          own * (p[shown[b] as number] as number);
    }
  }

  #addBlock(block: StoredBlock): void {
    if (block.kind === "entries") {
      this.#addEntries(block.indices, block.values);
      return;
    }
    const { shown } = this;
    const { values, kind } = block;
    for (let a = 0; a < shown.length; a++)
      for (let b = a; b < shown.length; b++) {
        const [i, j] = [shown[a] as number, shown[b] as number];
        this.#addAt(a, b, values[this.#place(kind, i, j)] as number);
      }
  }

  #place(kind: "square" | "triangle", i: number, j: number): number {
    if (kind === "square") return i * this.#classes + j;
    const start = blockRowStart("triangle", this.#classes, Math.min(i, j));
    return start + Math.abs(i - j);
  }

  /** Both halves are stored; one is counted. */
  #addEntries(indices: ArrayLike<number>, values: ArrayLike<number>): void {
    for (let n = 0; n < values.length; n++) {
      const index = indices[n] as number;
      const j = index % this.#classes;
      const i = (index - j) / this.#classes;
      if (i > j) continue;
      const a = this.#placeOf[i] as number;
      const b = this.#placeOf[j] as number;
      if (a >= 0 && b >= 0)
        this.#addAt(Math.min(a, b), Math.max(a, b), values[n] as number);
    }
  }

  #addAt(a: number, b: number, value: number): void {
    const at = a * this.shown.length + b;
    this.#sums[at] = (this.#sums[at] as number) + Math.abs(value);
  }
}
