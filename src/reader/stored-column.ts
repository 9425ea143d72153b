import type { NumberType } from "../arrow/field.js";
import { InputFormatError } from "../errors.js";
import type { NumberColumn } from "../input/number-column.js";
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

  async isNull(source: ByteSource, k: number): Promise<boolean> {
    const bits = bitsOf(this.#buffers.validity, this.#rows);
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
        `expected offsets that ascend from 0 to ${valueCount}, found ${start} and ${end} for row ${k} of the batch`,
      );
    return { start, end };
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
    const bits = bitsOf(valueValidity, valueCount);
    const empty = await firstNull(source, bits, start, end);
    if (empty !== null)
      throw this.error(`expected a number, found null at value ${empty}`);
    const numbers = numbersFrom(bytes.buffer, type);
    if (width === 8 && type !== "float64") {
      const large = numbers.find((value) => !Number.isSafeInteger(value));
      if (large !== undefined)
        throw this.error(`expected whole numbers within 2^53, found ${large}`);
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

function numbersFrom(buffer: ArrayBuffer, type: NumberType): FloatArray {
  switch (type) {
    case "float32":
      return new Float32Array(buffer);
    case "float64":
      return new Float64Array(buffer);
    case "int64":
      return Float64Array.from(new BigInt64Array(buffer), Number);
    case "uint64":
      return Float64Array.from(new BigUint64Array(buffer), Number);
    default:
      return Float64Array.from(new WHOLE[type](buffer));
  }
}

const WHOLE = {
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
} as const;
