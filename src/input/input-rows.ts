import {
  type ColumnStorage,
  isSeparate,
  offsetWidth,
  type SourceRange,
} from "../arrow/column-storage.js";
import type { NumberType } from "../arrow/field.js";
import { integerAt, viewOf } from "../arrow/read-window.js";
import { numbersOfBytes } from "../arrow/stored-numbers.js";
import { InputFormatError, RaggedRowError } from "../errors.js";
import { axesOf, indexOfRow } from "../results/row-indices.js";
import type { LogitsFile } from "./logits-file.js";
import { readInputAsync } from "./read-input.js";
import { sourceRanges, sourcesOf } from "./source-ranges.js";

interface Source {
  name: string;
  form: ColumnStorage;
  type: NumberType;
  width: number;
  values: number;
  /** Value of a null in a row that is not null. */
  nullValue: number;
  /** Descriptor of its own file; null: the input. */
  fd: number | null;
}

/** Rows that follow one another from row `row` of a piece on, whose values do so from value `first` of a buffer on. */
interface Run {
  row: number;
  rows: number;
  first: number;
}

/**
 * Rows of the input, as float64: the logits, then the other inputs; a null is NaN, and a null logit -inf
 * where it masks its class. One stretch of rows is held at a time.
 */
export class InputRows {
  readonly #file: LogitsFile;
  readonly #sources: Source[];
  #start = 0;
  #end = 0;
  #held: Float64Array[] = [];

  constructor(file: LogitsFile) {
    const { inputs, column, nullLogit, decodedFds } = file;
    this.#file = file;
    this.#sources = sourcesOf(file).map((source, n) => ({
      ...source,
      name: n === 0 ? column : (inputs[n - 1]?.name ?? ""),
      nullValue: n === 0 && nullLogit === "mask" ? -Infinity : Number.NaN,
      fd: decodedFds[n] ?? null,
    }));
  }

  holds(row: number): boolean {
    return row >= this.#start && row < this.#end;
  }

  /** The values of a row that is held, of source n (0: the logits). */
  values(row: number, n: number): Float64Array {
    const { values } = this.#sources[n] as Source;
    const at = (row - this.#start) * values;
    return (this.#held[n] as Float64Array).subarray(at, at + values);
  }

  /**
   * Reads rows `[start, end)`, which are inside the input.
   * @throws RaggedRowError, InputFormatError for offsets that cannot be, IoError
   */
  async load(start: number, end: number): Promise<void> {
    const pieces = sourceRanges(this.#file, start, end);
    this.#end = this.#start;
    this.#held = [];
    for (const [n, source] of this.#sources.entries()) {
      const out = new Float64Array((end - start) * source.values);
      for (const piece of pieces[n] as SourceRange[]) {
        const at = (piece.rowStart - start) * source.values;
        const count = (piece.rowEnd - piece.rowStart) * source.values;
        await this.#fill(source, piece, out.subarray(at, at + count));
      }
      this.#held.push(out);
    }
    this.#start = start;
    this.#end = end;
  }

  async #fill(
    source: Source,
    piece: SourceRange,
    out: Float64Array,
  ): Promise<void> {
    const { form, width, values, type, nullValue, fd } = source;
    const { firstRow, rowStart, rowEnd, valueValidity } = piece;
    const rows = rowEnd - rowStart;
    const isNull = await this.#nulls(piece.validity, firstRow, rows);
    const isList = offsetWidth(form) > 0;
    const runs = isList
      ? await this.#lists(source, piece, isNull)
      : [{ row: 0, rows, first: 0 }];
    const perBuffer = isSeparate(form) ? 1 : values;
    for (const [k, start] of piece.values.entries())
      for (const { row, rows, first } of runs) {
        const count = rows * perBuffer;
        const bytes = new Uint8Array(count * width);
        await this.#read(bytes, start + first * width, fd);
        const numbers = numbersOfBytes(bytes.buffer, type);
        // Positions of values start at the piece, except in lists; bits start at the batch.
        const bit = isList ? first : firstRow * perBuffer;
        const missing = await this.#nulls(valueValidity[k] ?? 0, bit, count);
        for (let n = 0; n < count; n++)
          out[row * values + k + n * (values / perBuffer)] = missing(n)
            ? nullValue
            : (numbers[n] as number);
      }
    for (let r = 0; r < rows; r++)
      if (isNull(r)) out.fill(Number.NaN, r * values, (r + 1) * values);
  }

  /** Which of `count` bits from `first` on say that something is null. */
  async #nulls(
    position: number,
    first: number,
    count: number,
  ): Promise<(k: number) => boolean> {
    if (position === 0) return () => false;
    const start = first >> 3;
    const bytes = new Uint8Array(Math.ceil((first + count) / 8) - start);
    await this.#read(bytes, position + start);
    const bit = (k: number) => first + k - 8 * start;
    return (k) => (((bytes[bit(k) >> 3] as number) >> (bit(k) & 7)) & 1) === 0;
  }

  #read(bytes: Uint8Array, position: number, fd: number | null = null) {
    const { path } = this.#file;
    const from = fd === null ? this.#file : { path, fd };
    return readInputAsync(from, bytes, position);
  }

  /** The runs of lists that are not null. Every list must have as many values as the first of the file. */
  async #lists(
    { name, form, values }: Source,
    { rowStart, rowEnd, offsets, valueCount }: SourceRange,
    isNull: (r: number) => boolean,
  ): Promise<Run[]> {
    const { path } = this.#file;
    const rows = rowEnd - rowStart;
    const width = offsetWidth(form);
    const bytes = new Uint8Array((rows + 1) * width);
    await this.#read(bytes, offsets);
    const view = viewOf(bytes);
    const runs: Run[] = [];
    for (let r = 0; r < rows; r++) {
      const first = integerAt(view, r * width, width);
      const last = integerAt(view, (r + 1) * width, width);
      const row = rowStart + r;
      if (!isNull(r) && last - first !== values) {
        const index = indexOfRow(axesOf(this.#file), row);
        throw new RaggedRowError(path, name, index, values, last - first);
      }
      if (!(first >= 0 && last >= first && last <= valueCount))
        throw new InputFormatError(
          path,
          `column ${name}, row ${row}`,
          `expected a list within values 0 to ${valueCount}, found ${first} to ${last}`,
        );
      if (isNull(r)) continue;
      const run = runs.at(-1);
      if (
        run &&
        run.row + run.rows === r &&
        run.first + run.rows * values === first
      )
        run.rows++;
      else runs.push({ row: r, rows: 1, first });
    }
    return runs;
  }
}
