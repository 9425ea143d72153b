import { bitAt } from "../arrow/bitmap.js";
import {
  isSeparate,
  offsetWidth,
  type SourceRange,
} from "../arrow/column-storage.js";
import { integerAt, viewOf } from "../arrow/read-window.js";
import { numbersOfBytes } from "../arrow/stored-numbers.js";
import { InputFormatError, RaggedRowError } from "../errors.js";
import { ModelRows } from "../kernels/linear-model.js";
import { axesOf, indexOfRow } from "../results/row-axes.js";
import type { SourceSetup } from "../tasks/slot-layout.js";
import { interpreting } from "./interpreting.js";
import { type LogitsFile, sourceRanges } from "./logits-file.js";
import { readInputAsync } from "./read-input.js";

/** Consecutive rows of a range, from `row` on, whose values are contiguous in a buffer, from value `first` on. */
interface Run {
  row: number;
  rows: number;
  first: number;
}

/**
 * Reads rows of the input as float64: the logits (source 0), then the other inputs. A null becomes NaN, or -inf if a null
 * logit masks its class. Holds one range of rows at a time.
 */
export class InputRows {
  #start = 0;
  #end = 0;
  #loaded: Float64Array[] = [];
  readonly #model: ModelRows | null;

  constructor(private readonly file: LogitsFile) {
    this.#model = file.model ? new ModelRows(file.model) : null;
  }

  holds(row: number): boolean {
    return row >= this.#start && row < this.#end;
  }

  /** Returns the values of a loaded row of source n (0: the logits). */
  values(row: number, n: number): Float64Array {
    const { values } = this.file.sources[n] as SourceSetup;
    const start = (row - this.#start) * values;
    return (this.#loaded[n] as Float64Array).subarray(start, start + values);
  }

  /**
   * Loads rows `[start, end)` of the input and discards the previous ones.
   * @throws RaggedRowError, InputFormatError for invalid offsets, IoError
   */
  load(start: number, end: number): Promise<void> {
    const { path } = this.file;
    return interpreting(path, "values", () => this.#load(start, end));
  }

  async #load(start: number, end: number): Promise<void> {
    const ranges = sourceRanges(this.file, start, end);
    const nullLogit = this.file.nullLogit === "mask" ? -Infinity : Number.NaN;
    this.#end = this.#start;
    this.#loaded = [];
    for (const [n, source] of this.file.sources.entries()) {
      const out = new Float64Array((end - start) * source.values);
      for (const range of ranges[n] as SourceRange[]) {
        const at = (range.rowStart - start) * source.values;
        const count = (range.rowEnd - range.rowStart) * source.values;
        const filled = out.subarray(at, at + count);
        await this.#fill(source, range, filled, n === 0 ? nullLogit : NaN);
      }
      this.#loaded.push(out);
    }
    const [logits, x, ...others] = this.#loaded as [Float64Array, Float64Array];
    this.#model?.store(x, logits, others.at(-1));
    this.#start = start;
    this.#end = end;
  }

  async #fill(
    source: SourceSetup,
    range: SourceRange,
    out: Float64Array,
    nullValue: number,
  ): Promise<void> {
    const { storage, width, values, type, fd } = source;
    const { firstRow, rowStart, rowEnd, valueValidity } = range;
    const rows = rowEnd - rowStart;
    const isNull = await this.#nulls(range.validity, firstRow, rows);
    const isList = offsetWidth(storage) > 0;
    const runs = isList
      ? await this.#lists(source, range, isNull)
      : [{ row: 0, rows, first: 0 }];
    const perBuffer = isSeparate(storage) ? 1 : values;
    for (const [k, start] of range.values.entries())
      for (const { row, rows, first } of runs) {
        const count = rows * perBuffer;
        const bytes = new Uint8Array(count * width);
        await this.#read(bytes, start + first * width, fd);
        const numbers = numbersOfBytes(bytes.buffer, type);
        // `start` is that of the range, except for lists; validity bits are counted from the start of the batch.
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

  /** Returns a function that tells whether bit `first` + k of a validity bitmap (k < `count`) marks a null. */
  async #nulls(
    position: number,
    first: number,
    count: number,
  ): Promise<(k: number) => boolean> {
    if (position === 0) return () => false;
    const start = first >> 3;
    const bytes = new Uint8Array(Math.ceil((first + count) / 8) - start);
    await this.#read(bytes, position + start);
    return (k) => bitAt(bytes, first + k - 8 * start) === 0;
  }

  #read(bytes: Uint8Array, position: number, fd: number | null = null) {
    const { path } = this.file;
    const from = fd === null ? this.file : { path, fd };
    return readInputAsync(from, bytes, position);
  }

  /** Returns the runs of lists that are not null; checks that every list has `values` values. */
  async #lists(
    { name, storage, values }: SourceSetup,
    { rowStart, rowEnd, offsets, valueCount }: SourceRange,
    isNull: (r: number) => boolean,
  ): Promise<Run[]> {
    const { path } = this.file;
    const rows = rowEnd - rowStart;
    const width = offsetWidth(storage);
    const bytes = new Uint8Array((rows + 1) * width);
    await this.#read(bytes, offsets);
    const view = viewOf(bytes);
    const runs: Run[] = [];
    for (let r = 0; r < rows; r++) {
      const first = integerAt(view, r * width, width);
      const last = integerAt(view, (r + 1) * width, width);
      const row = rowStart + r;
      if (!isNull(r) && last - first !== values) {
        const index = indexOfRow(axesOf(this.file), row);
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
