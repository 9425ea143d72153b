import type { NumberType } from "../arrow/field.js";
import {
  isSeparate,
  isView,
  offsetWidth,
  type SourceForm,
} from "../arrow/source-form.js";
import { InputFormatError, RaggedRowError } from "../errors.js";
import type { LogitsFile } from "./logits-file.js";
import { numbersOfBytes, offsetsOf } from "./numbers-of-bytes.js";
import { readInputAsync } from "./read-input.js";
import { axesOf, indexOfRow } from "./row-indices.js";
import { type RowsOfBatch, sourcePieces, sourcesOf } from "./source-pieces.js";

interface Source {
  name: string;
  form: SourceForm;
  type: NumberType;
  width: number;
  values: number;
  isLogits: boolean;
  /** Descriptor of its own file; null: the input. */
  fd: number | null;
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
    this.#file = file;
    this.#sources = sourcesOf(file).map((source, n) => ({
      ...source,
      name: n === 0 ? file.column : (file.inputs[n - 1]?.name ?? ""),
      isLogits: n === 0,
      fd: file.decodedFds[n] ?? null,
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
    const pieces = sourcePieces(this.#file, start, end);
    this.#end = this.#start;
    this.#held = [];
    for (const [n, source] of this.#sources.entries()) {
      const out = new Float64Array((end - start) * source.values);
      for (const piece of pieces[n] as RowsOfBatch[]) {
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
    piece: RowsOfBatch,
    out: Float64Array,
  ): Promise<void> {
    const { form, width, values } = source;
    const rows = piece.rowEnd - piece.rowStart;
    const isNull = await this.#nulls(piece.validity, piece.firstRow, rows);
    if (isSeparate(form)) {
      for (const [k, start] of piece.values.entries()) {
        const numbers = await this.#numbers(source, start, rows);
        const bits = piece.valueValidity[k] ?? 0;
        const missing = await this.#nulls(bits, piece.firstRow, rows);
        for (let r = 0; r < rows; r++)
          out[r * values + k] = missing(r)
            ? this.#nullValue(source, isNull(r))
            : (numbers[r] as number);
      }
    } else {
      const firsts =
        offsetWidth(form) > 0
          ? await this.#firstValues(source, piece, isNull)
          : null;
      const [start = 0] = piece.values;
      const [bits = 0] = piece.valueValidity;
      // Rows that stand one behind the other are read together.
      for (let r = 0; r < rows; ) {
        const first = firsts ? (firsts[r] as number) : r * values;
        let end = r + 1;
        while (
          end < rows &&
          first >= 0 &&
          (!firsts || firsts[end] === first + (end - r) * values)
        )
          end++;
        const count = (end - r) * values;
        if (first >= 0) {
          const position = start + first * width;
          out.set(await this.#numbers(source, position, count), r * values);
          // fixed-size lists: `first` counts from the piece's own start
          const inBatch = firsts ? first : piece.firstRow * values + first;
          const missing = await this.#nulls(bits, inBatch, count);
          for (let n = 0; n < count; n++) {
            const row = r + Math.floor(n / values);
            if (missing(n))
              out[r * values + n] = this.#nullValue(source, isNull(row));
          }
        }
        r = end;
      }
    }
    for (let r = 0; r < rows; r++)
      if (isNull(r)) out.fill(Number.NaN, r * values, (r + 1) * values);
  }

  #nullValue({ isLogits }: Source, rowIsNull: boolean): number {
    const isMasked = isLogits && !rowIsNull && this.#file.nullLogit === "mask";
    return isMasked ? Number.NEGATIVE_INFINITY : Number.NaN;
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
    await readInputAsync(this.#file, bytes, position + start);
    const bit = (k: number) => first + k - 8 * start;
    return (k) => (((bytes[bit(k) >> 3] as number) >> (bit(k) & 7)) & 1) === 0;
  }

  async #numbers(
    { type, width, fd }: Source,
    position: number,
    count: number,
  ): Promise<ArrayLike<number>> {
    const bytes = new Uint8Array(count * width);
    const { path } = this.#file;
    const from = fd === null ? this.#file : { path, fd };
    await readInputAsync(from, bytes, position);
    return numbersOfBytes(bytes.buffer, type);
  }

  /** Lists: where each one's values start; -1 for null. Every list must have as many as the first of the file. */
  async #firstValues(
    { name, form, values }: Source,
    piece: RowsOfBatch,
    isNull: (r: number) => boolean,
  ): Promise<number[]> {
    const { path } = this.#file;
    const { rowStart, rowEnd, valueCount } = piece;
    const rows = rowEnd - rowStart;
    const width = offsetWidth(form) as 4 | 8;
    const integers = async (position: number, count: number) => {
      const bytes = new Uint8Array(count * width);
      await readInputAsync(this.#file, bytes, position);
      return offsetsOf(bytes.buffer, width);
    };
    const view = isView(form);
    const offsets = await integers(piece.offsets, view ? rows : rows + 1);
    const sizes = view ? await integers(piece.sizes, rows) : null;
    return Array.from({ length: rows }, (_, r) => {
      const first = offsets[r] as number;
      const found = sizes
        ? (sizes[r] as number)
        : (offsets[r + 1] as number) - first;
      const row = rowStart + r;
      if (!isNull(r) && found !== values)
        throw new RaggedRowError(
          path,
          name,
          indexOfRow(axesOf(this.#file), row),
          values,
          found,
        );
      if (!(first >= 0 && found >= 0 && first + found <= valueCount))
        throw new InputFormatError(
          path,
          `column ${name}, row ${row}`,
          `expected a list within values 0 to ${valueCount}, found ${first} to ${first + found}`,
        );
      return isNull(r) ? -1 : first;
    });
  }
}
