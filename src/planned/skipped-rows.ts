/** Rows that an output leaves out, in ascending order. */
export class SkippedRows {
  constructor(readonly rows: readonly number[]) {}

  /** Those in `[rowStart, rowEnd)`. */
  between(rowStart: number, rowEnd: number): readonly number[] {
    return this.rows.slice(this.#before(rowStart), this.#before(rowEnd));
  }

  /** How many there are in `[rowStart, rowEnd)`. */
  count(rowStart: number, rowEnd: number): number {
    return this.#before(rowEnd) - this.#before(rowStart);
  }

  /** How many come before a row; by bisection. */
  #before(row: number): number {
    let [low, high] = [0, this.rows.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.rows[middle] as number) < row) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
