import type { NumberType } from "../arrow/field.js";
import { InputFormatError, RaggedRowError } from "../errors.js";
import type { LogitsFile } from "../input/logits-file.js";
import { numbersOfBytes } from "../input/numbers-of-bytes.js";
import { readInputAsync } from "../input/read-input.js";
import { sourcePieces, sourcesOf } from "../input/source-pieces.js";

type Piece = ReturnType<typeof sourcePieces>[number][number];

interface Source {
  name: string;
  form: "fixed-size-list" | "list" | "columns";
  type: NumberType;
  width: number;
  values: number;
}

/** Rows of the input, as float64: the logits, then the other inputs. One stretch of rows is held at a time. */
export class InputRows {
  readonly #file: LogitsFile;
  readonly #sources: Source[];
  #start = 0;
  #end = 0;
  #held: Float64Array[] = [];

  constructor(file: LogitsFile) {
    this.#file = file;
    const own = [{ name: file.column, type: file.dtype }, ...file.inputs];
    this.#sources = sourcesOf(file).map((source, n) => {
      const { name, type } = own[n] as { name: string; type: NumberType };
      return { ...source, name, type };
    });
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
      for (const piece of pieces[n] as Piece[]) {
        const at = (piece.rowStart - start) * source.values;
        const count = (piece.rowEnd - piece.rowStart) * source.values;
        await this.#fill(source, piece, out.subarray(at, at + count));
      }
      this.#held.push(out);
    }
    this.#start = start;
    this.#end = end;
  }

  async #fill(source: Source, piece: Piece, out: Float64Array): Promise<void> {
    const { form, width, values } = source;
    const rows = piece.rowEnd - piece.rowStart;
    if (form === "columns") {
      for (const [k, start] of piece.values.entries()) {
        const numbers = await this.#numbers(source, start, rows);
        for (let r = 0; r < rows; r++)
          out[r * values + k] = numbers[r] as number;
      }
      return;
    }
    const first = form === "list" ? await this.#firstValue(source, piece) : 0;
    const start = (piece.values[0] as number) + first * width;
    out.set(await this.#numbers(source, start, rows * values));
  }

  async #numbers(
    { type, width }: Source,
    position: number,
    count: number,
  ): Promise<ArrayLike<number>> {
    const bytes = new Uint8Array(count * width);
    await readInputAsync(this.#file, bytes, position);
    return numbersOfBytes(bytes.buffer, type);
  }

  /** Lists: where the first one's values start. Every list must have as many as the first of the file. */
  async #firstValue(
    { name, values }: Source,
    { rowStart, rowEnd, offsets: position, valueCount }: Piece,
  ): Promise<number> {
    const { path } = this.#file;
    const offsets = new Int32Array(rowEnd - rowStart + 1);
    const bytes = new Uint8Array(offsets.buffer);
    await readInputAsync(this.#file, bytes, position);
    for (let r = 0; r < rowEnd - rowStart; r++) {
      const found = (offsets[r + 1] as number) - (offsets[r] as number);
      if (found !== values)
        throw new RaggedRowError(path, name, rowStart + r, values, found);
    }
    const [first = 0] = offsets;
    const last = offsets.at(-1) as number;
    if (first < 0 || last > valueCount)
      throw new InputFormatError(
        path,
        `column ${name}, rows ${rowStart} to ${rowEnd - 1}`,
        `expected list offsets inside 0 to ${valueCount}, found ${first} to ${last}`,
      );
    return first;
  }
}
