import type { ValueBuffers } from "../arrow/column-storage.js";
import type { FloatType } from "../arrow/field.js";
import { numbersOfBytes } from "../arrow/stored-numbers.js";
import { InputFormatError } from "../errors.js";
import type { NumberColumn } from "../input/number-column.js";
import { allocated, type ByteSource } from "./byte-source.js";

export type FloatArray = Float64Array | Float32Array;

/** Allocates `count` zeros. @throws UsageError if they do not fit in memory */
export function newFloats(type: FloatType, count: number): FloatArray {
  return allocated(
    () =>
      type === "float32" ? new Float32Array(count) : new Float64Array(count),
    `memory: ${count} values of ${type}`,
  );
}

/** Numbers of one column in one record batch, by table row of the batch. */
export class StoredColumn {
  constructor(
    private readonly file: { path: string; where: string },
    private readonly column: NumberColumn,
    private readonly rows: number,
    private readonly buffers: ValueBuffers,
  ) {}

  /** Returns 1 for each null among rows `[start, end)`; null if the column has no nulls. */
  nulls(
    source: ByteSource,
    start: number,
    end: number,
  ): Promise<Uint8Array | null> {
    const { validity, valueValidity } = this.buffers;
    const isSingle = this.column.storage === "columns";
    const bitmap = isSingle ? (valueValidity[0] ?? 0) : validity;
    return nullsOf(source, bitmap, this.rows, start, end);
  }

  /** Returns the `end - start + 1` offsets of the values of rows `[start, end)`, in values; they ascend. */
  async bounds(
    source: ByteSource,
    start: number,
    end: number,
  ): Promise<Float64Array | Int32Array> {
    const { storage, values } = this.column;
    if (storage !== "list") {
      const n = storage === "columns" ? 1 : (values as number);
      const bounds = new Float64Array(end - start + 1);
      for (let k = 0; k < bounds.length; k++) bounds[k] = (start + k) * n;
      return bounds;
    }
    const { offsets, valueCount } = this.buffers;
    const region = { start: offsets, bytes: 4 * (this.rows + 1) };
    const bytes = await source.read(region, 4 * start, 4 * (end - start + 1));
    const bounds = new Int32Array(bytes.buffer);
    let previous = 0;
    for (let n = 0; n < bounds.length; n++) {
      const offset = bounds[n] as number;
      if (offset < previous || offset > valueCount)
        throw this.error(
          `expected ascending offsets from 0 to ${valueCount}, found ${previous} and ${offset} for row ${start + n - 1} of the batch`,
        );
      previous = offset;
    }
    return bounds;
  }

  /**
   * Returns values `[start, end)`: floats in their stored type, whole numbers up to 2^53 as float64.
   * @param mayBeNull whether nulls are accepted, because the caller skips them
   */
  async numbers(
    source: ByteSource,
    start: number,
    end: number,
    mayBeNull = false,
  ): Promise<FloatArray> {
    const { values, valueCount, valueValidity } = this.buffers;
    const { type, width } = this.column;
    const region = { start: values[0] as number, bytes: valueCount * width };
    const length = (end - start) * width;
    const bytes = await source.read(region, start * width, length);
    const bitmap = mayBeNull ? 0 : (valueValidity[0] ?? 0);
    const nulls = await nullsOf(source, bitmap, valueCount, start, end);
    const firstNull = nulls?.indexOf(1) ?? -1;
    if (firstNull >= 0)
      throw this.error(
        `expected a number, found null at value ${start + firstNull}`,
      );
    const numbers = numbersOfBytes(bytes.buffer, type);
    if (width === 8 && type !== "float64") {
      const large = numbers.find((value) => !Number.isSafeInteger(value));
      if (large !== undefined)
        throw this.error(`expected whole numbers up to 2^53, found ${large}`);
    }
    return numbers;
  }

  /** Returns an error that names the column. */
  error(expectedFound: string): InputFormatError {
    const { path, where } = this.file;
    const text = `column ${this.column.name}: ${expectedFound}`;
    return new InputFormatError(path, where, text);
  }
}

/** Returns 1 for each null among values `[start, end)`; null without a bitmap. @param bitmap offset in the file, or 0 */
async function nullsOf(
  source: ByteSource,
  bitmap: number,
  count: number,
  start: number,
  end: number,
): Promise<Uint8Array | null> {
  if (bitmap === 0 || end === start) return null;
  const region = { start: bitmap, bytes: Math.ceil(count / 8) };
  const first = Math.floor(start / 8);
  const bits = await source.read(region, first, Math.ceil(end / 8) - first);
  const nulls = new Uint8Array(end - start);
  for (let n = 0, bit = start - 8 * first; n < nulls.length; n++, bit++)
    nulls[n] = 1 - (((bits[bit >> 3] as number) >> (bit & 7)) & 1);
  return nulls;
}
