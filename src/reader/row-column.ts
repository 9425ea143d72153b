import type { InputFormatError } from "../errors.js";
import { keyOfIndex } from "../results/row-axes.js";
import type { ByteSource } from "./byte-source.js";
import type { StoredColumn } from "./stored-column.js";

/** The index columns of a record batch as one column of row numbers: the keys of the indices (src/results/row-axes.ts). */
export class RowColumn {
  readonly #columns: readonly StoredColumn[];
  readonly #inner: readonly number[];

  constructor(columns: readonly StoredColumn[], inner: readonly number[]) {
    this.#columns = columns;
    this.#inner = inner;
  }

  /** Returns the numbers of table rows `[start, end)`; -1 for a position outside of its axis. @throws InputFormatError */
  async numbers(
    source: ByteSource,
    start: number,
    end: number,
  ): Promise<Float64Array> {
    const inner = this.#inner;
    const found = await Promise.all(
      this.#columns.map((column) => column.numbers(source, start, end)),
    );
    if (inner.length === 0) return found[0] as Float64Array;
    return Float64Array.from({ length: end - start }, (_, k) => {
      const index = found.map((numbers) => numbers[k] as number);
      const isInside = inner.every((length, n) => {
        const position = index[n + 1] as number;
        return position >= 0 && position < length;
      });
      return isInside ? keyOfIndex(inner, index) : -1;
    });
  }

  error(expectedFound: string): InputFormatError {
    return (this.#columns[0] as StoredColumn).error(expectedFound);
  }
}
