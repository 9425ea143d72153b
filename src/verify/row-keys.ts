import { rowIndices } from "../input/row-indices.js";
import { keyOfIndex, type RowAxes } from "../results/row-axes.js";

/** Rows whose indices are read at once. */
const PAGE = 4096;

/** Rows of an input by their keys (src/results/row-axes.ts), in whose order an output has them. */
export class RowKeys {
  readonly inner: readonly number[];
  readonly #axes: RowAxes;
  readonly #rows: number;
  #start = 0;
  #page: Float64Array[] = [];
  #last = 0;

  constructor(axes: RowAxes, rows: number) {
    this.inner = axes.inner;
    this.#axes = axes;
    this.#rows = rows;
  }

  key(row: number): number {
    if (this.#axes.fd === null) return row;
    const start = row - (row % PAGE);
    if (this.#page.length === 0 || start !== this.#start) {
      const end = Math.min(start + PAGE, this.#rows);
      this.#page = rowIndices(this.#axes, start, end);
      this.#start = start;
    }
    return keyOfIndex(
      this.inner,
      this.#page.map((column) => column[row - start] as number),
    );
  }

  /** Returns the row that has a key; NaN: there is none. */
  row(key: number): number {
    if (this.#axes.fd === null || Number.isNaN(key)) return key;
    // Most often it is the one that was asked for before, or the next.
    for (const row of [this.#last, this.#last + 1])
      if (row < this.#rows && this.key(row) === key) {
        this.#last = row;
        return row;
      }
    let [low, high] = [0, this.#rows];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.key(middle) < key) low = middle + 1;
      else high = middle;
    }
    if (low >= this.#rows || this.key(low) !== key) return Number.NaN;
    this.#last = low;
    return low;
  }
}
