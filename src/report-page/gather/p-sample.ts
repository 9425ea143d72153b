import type { Example } from "../../output-rows/example.js";
import { ReservoirPlaces } from "./reservoir.js";

/** Numbers that are held for what needs rows more than once: 8 MiB. */
const MOST_VALUES = 1 << 20;
/** More rows would change the third digit. */
const MOST_ROWS = 50_000;

/** A random choice of rows with p, as many as there is room for: all rows of small outputs. */
export class PSample {
  readonly classes: number;
  rows = 0;
  readonly #places: ReservoirPlaces;
  #logRatios = new Float64Array(0);
  #winners = new Int32Array(0);
  #labels = new Int32Array(0);

  constructor(classes: number, draw: () => number) {
    this.classes = classes;
    const fit = Math.max(1, Math.floor(MOST_VALUES / classes));
    this.#places = new ReservoirPlaces(Math.min(MOST_ROWS, fit), draw);
  }

  /** Whether there were more rows than it holds. */
  get isSample(): boolean {
    return this.#places.seen > this.rows;
  }

  /** `[rows, classes]`: log of p_k over the winner's: 0 for the winner, -inf where p is 0. */
  get logRatios(): Float64Array {
    return this.#logRatios.subarray(0, this.rows * this.classes);
  }

  /** `[rows]`. */
  get winners(): Int32Array {
    return this.#winners.subarray(0, this.rows);
  }

  /** `[rows]`; -1: none that is a class. */
  get labels(): Int32Array {
    return this.#labels.subarray(0, this.rows);
  }

  add({ p, winner, uncertainty, label }: Example): void {
    if (!p) return;
    const row = this.#places.next();
    if (row < 0) return;
    if (row >= this.#winners.length) this.#grow();
    this.rows = Math.max(this.rows, row + 1);
    this.#winners[row] = winner;
    this.#labels[row] = label;
    const own =
      uncertainty < 0.5
        ? Math.log1p(-uncertainty)
        : Math.log(p[winner] as number);
    const start = row * this.classes;
    for (let k = 0; k < p.length; k++)
      this.#logRatios[start + k] =
        k === winner ? 0 : Math.log(p[k] as number) - own;
  }

  #grow(): void {
    const rows = Math.max(64, 2 * this.#winners.length);
    const grown = <A extends Float64Array | Int32Array>(to: A, from: A): A => {
      to.set(from);
      return to;
    };
    this.#winners = grown(new Int32Array(rows), this.#winners);
    this.#labels = grown(new Int32Array(rows), this.#labels);
    const values = new Float64Array(rows * this.classes);
    this.#logRatios = grown(values, this.#logRatios);
  }
}
