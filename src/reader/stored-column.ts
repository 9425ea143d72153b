import { InputFormatError } from "../errors.js";
import type { NumberColumn } from "../input/number-column.js";
import { numbersOfBytes } from "../input/numbers-of-bytes.js";
import type { ValueBuffers } from "../input/record-batch.js";
import type { ByteSource, Region } from "./byte-source.js";
import type { FloatArray } from "./float-array.js";

/** Values `[start, end)` of a column's in a batch. */
export interface Span {
  start: number;
  end: number;
}

/** The numbers of one column in one record batch, read where they are wanted. `k` is a table row of the batch. */
export class StoredColumn {
  readonly #path: string;
  readonly #where: string;
  readonly #column: NumberColumn;
  readonly #buffers: ValueBuffers;
  readonly #rows: number;

  constructor(
    { path, where }: { path: string; where: string },
    column: NumberColumn,
    rows: number,
    buffers: ValueBuffers,
  ) {
    this.#path = path;
    this.#where = where;
    this.#column = column;
    this.#rows = rows;
    this.#buffers = buffers;
  }

  /** Of rows: where each is one value, those are the rows. */
  get #validity(): number {
    const { validity, valueValidity } = this.#buffers;
    return this.#column.form === "columns" ? (valueValidity[0] ?? 0) : validity;
  }

  async isNull(source: ByteSource, k: number): Promise<boolean> {
    const bits = bitsOf(this.#validity, this.#rows);
    return (await firstNull(source, bits, k, k + 1)) !== null;
  }

  /** Where a row's values stand. @throws InputFormatError for offsets that cannot be */
  async span(source: ByteSource, k: number): Promise<Span> {
    const { form, values } = this.#column;
    if (form !== "list") {
      const n = form === "columns" ? 1 : (values as number);
      return { start: k * n, end: (k + 1) * n };
    }
    const { offsets, valueCount } = this.#buffers;
    const region = { start: offsets, bytes: 4 * (this.#rows + 1) };
    const pair = new Int32Array((await source.read(region, 4 * k, 8)).buffer);
    const [start = 0, end = 0] = pair;
    if (start < 0 || end < start || end > valueCount)
      throw this.error(
        `expected ascending offsets from 0 to ${valueCount}, found ${start} and ${end} for row ${k} of the batch`,
      );
    return { start, end };
  }

  /** Which of rows `[start, end)` are null, 1 each; null where none can be. */
  async nulls(
    source: ByteSource,
    start: number,
    end: number,
  ): Promise<Uint8Array | null> {
    const validity = bitsOf(this.#validity, this.#rows);
    if (!validity || end === start) return null;
    const first = Math.floor(start / 8);
    const bits = await source.read(validity, first, Math.ceil(end / 8) - first);
    return Uint8Array.from({ length: end - start }, (_, n) => {
      const byte = bits[Math.floor((start + n) / 8) - first] as number;
      return 1 - ((byte >> ((start + n) % 8)) & 1);
    });
  }

  /** Where the values of rows `[start, end)` begin, and the last's end. @throws InputFormatError as `span` does */
  async bounds(
    source: ByteSource,
    start: number,
    end: number,
  ): Promise<Float64Array | Int32Array> {
    const { form, values } = this.#column;
    if (form !== "list") {
      const n = form === "columns" ? 1 : (values as number);
      return Float64Array.from(
        { length: end - start + 1 },
        (_, k) => (start + k) * n,
      );
    }
    const { offsets, valueCount } = this.#buffers;
    const region = { start: offsets, bytes: 4 * (this.#rows + 1) };
    const bytes = await source.read(region, 4 * start, 4 * (end - start + 1));
    const found = new Int32Array(bytes.buffer);
    let before = 0;
    for (const [n, offset] of found.entries()) {
      if (offset < before || offset > valueCount)
        throw this.error(
          `expected ascending offsets from 0 to ${valueCount}, found ${before} and ${offset} for row ${start + n - 1} of the batch`,
        );
      before = offset;
    }
    return found;
  }

  /**
   * Values `[start, end)`: floats as they are stored, whole numbers as float64.
   * @throws InputFormatError for nulls among them, and for whole numbers beyond 2^53
   */
  async numbers(
    source: ByteSource,
    start: number,
    end: number,
  ): Promise<FloatArray> {
    const { values, valueCount, valueValidity } = this.#buffers;
    const { type, width } = this.#column;
    const region = { start: values[0] as number, bytes: valueCount * width };
    const bytes = await source.read(
      region,
      start * width,
      (end - start) * width,
    );
    const bits = bitsOf(valueValidity[0] ?? 0, valueCount);
    const empty = await firstNull(source, bits, start, end);
    if (empty !== null)
      throw this.error(`expected a number, found null at value ${empty}`);
    const numbers = numbersOfBytes(bytes.buffer, type);
    if (width === 8 && type !== "float64") {
      const large = numbers.find((value) => !Number.isSafeInteger(value));
      if (large !== undefined)
        throw this.error(`expected whole numbers up to 2^53, found ${large}`);
    }
    return numbers;
  }

  /** A damage found in the column's numbers. */
  error(expectedFound: string): InputFormatError {
    return new InputFormatError(
      this.#path,
      this.#where,
      `column ${this.#column.name}: ${expectedFound}`,
    );
  }
}

/** A validity bitmap; null where there is none, since nothing is null. */
function bitsOf(start: number, count: number): Region | null {
  return start === 0 ? null : { start, bytes: Math.ceil(count / 8) };
}

/** The first of `[start, end)` whose bit says that it is null. */
async function firstNull(
  source: ByteSource,
  validity: Region | null,
  start: number,
  end: number,
): Promise<number | null> {
  if (!validity || end === start) return null;
  const first = Math.floor(start / 8);
  const bits = await source.read(validity, first, Math.ceil(end / 8) - first);
  for (let k = start; k < end; k++) {
    const byte = bits[Math.floor(k / 8) - first] as number;
    if (!((byte >> (k % 8)) & 1)) return k;
  }
  return null;
}
