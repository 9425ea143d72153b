import { bitAt } from "../arrow/bitmap.js";
import {
  type ArrowType,
  type BufferLayout,
  bufferBytes,
  buffersOf,
  type Field,
  integerOfDate,
  numberTypeOf,
  storedType,
} from "../arrow/field.js";
import { integerAt, ReadWindow, viewOf } from "../arrow/read-window.js";
import { numbersOfBytes } from "../arrow/stored-numbers.js";
import { VIEW_BYTES, ViewedValues } from "../arrow/views.js";
import { InputFormatError, InputUnsupportedError } from "../errors.js";
import { NULL_BITS_64 } from "../kernels/bad-row.js";
import { inputReader, type Readable } from "./read-input.js";
import {
  type ColumnSpan,
  locateColumn,
  type RecordBatch,
} from "./record-batch.js";

// Decodes columns that workers cannot read in place to float64, one record batch at a time. Integers that float64 cannot
// represent exactly are rejected. Nulls become a NaN with a payload of its own (NULL_BITS_64).

/** Rows of numbers; `at` returns null for a null row. */
export interface DecodedRows {
  length: number;
  at(k: number): Float64Array | null;
}

/** Longer texts are truncated, so that a text of gigabytes takes no memory. */
const MAX_TEXT_BYTES = 1 << 16;

/** Returns rows of one number each. */
export function singleRows(numbers: Float64Array): DecodedRows {
  const at = (k: number) => numbers.subarray(k, k + 1);
  return { length: numbers.length, at };
}

/** Decodes a column of one record batch. */
export class ColumnDecoder {
  readonly length: number;

  /** @throws InputFormatError if the column has not one value per row, or a buffer is too short */
  constructor(
    private readonly file: Readable,
    private readonly record: Pick<RecordBatch, "context" | "batch">,
    private readonly span: ColumnSpan,
    private readonly located = locateColumn(record, span),
  ) {
    this.length = located.length;
  }

  /** Returns one number per value of a column of numbers, or of structs of one number. @throws InputFormatError, InputUnsupportedError, IoError */
  numbers(): Float64Array {
    const { field, children } = this.span;
    const type = integerOfDate(storedType(field));
    const out =
      children.length > 0 ? this.#child(0).numbers() : this.#stored(type);
    const isNull = this.nulls();
    for (let k = 0; k < this.length; k++)
      if (isNull(k)) setNull(out, k);
      else if (type.kind === "Int" && !Number.isSafeInteger(out[k]))
        throw new InputUnsupportedError(
          this.file.path,
          `${this.record.context.where}, column ${field.name}`,
          `expected whole numbers that float64 holds exactly, found ${this.#integer(k, type.signed)} at value ${k}; write smaller numbers, or floats`,
        );
    return out;
  }

  /** Returns all digits of an integer of 64 bits. */
  #integer(k: number, signed: boolean): bigint {
    const view = viewOf(this.#bytes("values"));
    return signed
      ? view.getBigInt64(8 * k, true)
      : view.getBigUint64(8 * k, true);
  }

  #stored(type: ArrowType): Float64Array {
    const { length } = this;
    const bytes = this.#bytes("values");
    if (type.kind === "Bool")
      return Float64Array.from({ length }, (_, k) => bitAt(bytes, k));
    if (type.kind === "Decimal")
      return Float64Array.from({ length }, (_, k) =>
        decimalAt(viewOf(bytes), k, type),
      );
    const number = numberTypeOf(type) ?? "float64";
    return new Float64Array(numbersOfBytes(bytes.buffer, number));
  }

  /** Returns `numberOf(k)` for each value k, except for nulls. */
  mapped(numberOf: (k: number) => number): Float64Array {
    const out = new Float64Array(this.length);
    const isNull = this.nulls();
    for (let k = 0; k < out.length; k++)
      if (isNull(k)) setNull(out, k);
      else out[k] = numberOf(k);
    return out;
  }

  /** Returns the rows of a column of lists, of structs of numbers, or of single numbers. @throws as numbers */
  rows(): DecodedRows {
    const { length } = this;
    const isNull = this.nulls();
    const row = this.#rows();
    return { length, at: (k) => (isNull(k) ? null : row(k)) };
  }

  #rows(): (k: number) => Float64Array | null {
    const { field, children } = this.span;
    if (isSparkVector(field)) return this.#vectors();
    if (field.dictionary || children.length === 0) {
      return singleRows(this.numbers()).at;
    }
    const columns = children.map((_, k) => this.#child(k).numbers());
    if (field.type.kind === "Struct") return (k) => numbersAt(columns, k);
    const [values] = columns as [Float64Array];
    const [start, end] = this.bounds();
    return (k) => values.subarray(start(k), end(k));
  }

  /** Decodes Spark vectors: dense ones (type 1) store all values, sparse ones (type 0) only those at `indices`. */
  #vectors(): (k: number) => Float64Array {
    const names = this.span.children.map(({ field }) => field.name);
    const child = (name: string) => this.#child(names.indexOf(name));
    const kinds = child("type").numbers();
    const sizes = child("size").numbers();
    const indices = child("indices").rows();
    const values = child("values").rows();
    return (k) => {
      const fail = (text: string) => this.#fail("vector", k, text);
      const stored = values.at(k) ?? fail("a vector has no values");
      if (kinds[k] === 1) return stored;
      const size = sizes[k] as number;
      const positions = indices.at(k) ?? fail("a sparse vector has no indices");
      if (!(size >= 0 && size < 2 ** 31) || positions.length !== stored.length)
        fail(
          `expected a size and as many indices as values, found size ${size}, ${positions.length} indices and ${stored.length} values`,
        );
      const row = new Float64Array(size);
      for (const [n, position] of positions.entries()) {
        if (!(position >= 0 && position < size))
          fail(`expected indices from 0 to ${size - 1}, found ${position}`);
        row.set(stored.subarray(n, n + 1), position);
      }
      return row;
    };
  }

  /** Returns a function from k to value k of a column of strings, for values that are not null. Both throw InputFormatError and IoError. */
  texts(): (k: number) => string {
    const read = inputReader(this.file);
    const { data, values, valuesBytes } = this.located;
    const known = new RecurringTexts();
    if (data) {
      const views = viewOf(this.#bytes("values"));
      let value = 0;
      const viewed = new ViewedValues(read, data, (text) =>
        this.#fail("value", value, text),
      );
      return (k) => {
        value = k;
        return known.decode(
          viewed.value(views, VIEW_BYTES * k, MAX_TEXT_BYTES),
        );
      };
    }
    const [start, end] = this.bounds(valuesBytes);
    const window = new ReadWindow(read);
    return (k) => {
      const bytes = Math.min(end(k) - start(k), MAX_TEXT_BYTES);
      return known.decode(
        window.bytes(values + start(k), bytes, values + valuesBytes),
      );
    };
  }

  /** Returns functions to the start and end of list or text k, as item indices. @throws InputFormatError */
  bounds(
    items = this.located.children[0]?.length ?? 0,
  ): [start: (k: number) => number, end: (k: number) => number] {
    const { type } = this.span.field;
    if (type.kind === "FixedSizeList") {
      const { listSize } = type;
      return [(k) => k * listSize, (k) => (k + 1) * listSize];
    }
    const width = type.kind.startsWith("Large") ? 8 : 4;
    const reader = (role: "offsets" | "sizes") => {
      const view = viewOf(this.#bytes(role));
      return (k: number) => integerAt(view, k * width, width);
    };
    const start = reader("offsets");
    const size = type.kind.endsWith("View") ? reader("sizes") : null;
    const end = (k: number) => (size ? start(k) + size(k) : start(k + 1));
    for (let k = 0; k < this.length; k++) {
      const [first, last] = [start(k), end(k)];
      if (!(first >= 0 && first <= last && last <= items))
        this.#fail(
          this.span.children.length > 0 ? "list" : "value",
          k,
          `expected offsets within 0 to ${items}, found ${first} to ${last}`,
        );
    }
    return [start, end];
  }

  /** Returns a predicate for null values; values inside a null struct count as null. */
  nulls(): (k: number) => boolean {
    const bits = this.#bytes("validity");
    const outer = this.span.parents.map((parent) => {
      // The run may not read the other fields of the struct.
      const struct = { ...parent, children: [] };
      return new ColumnDecoder(this.file, this.record, struct).nulls();
    });
    return (k) =>
      (bits.length > 0 && bitAt(bits, k) === 0) ||
      outer.some((isNull) => isNull(k));
  }

  #child(k: number): ColumnDecoder {
    const span = this.span.children[k] as ColumnSpan;
    const located = this.located.children[k];
    return new ColumnDecoder(this.file, this.record, span, located);
  }

  #bytes(role: BufferLayout["role"]): Uint8Array<ArrayBuffer> {
    const layout = buffersOf(storedType(this.span.field));
    const buffer = layout.find((buffer) => buffer.role === role);
    const bytes = buffer ? bufferBytes(buffer, this.located) : 0;
    if (bytes === 0) return new Uint8Array(0);
    return inputReader(this.file)(this.located[role], bytes);
  }

  #fail(item: string, k: number, text: string): never {
    throw new InputFormatError(
      this.file.path,
      `${this.record.context.where}, column ${this.span.field.name}, ${item} ${k}`,
      text,
    );
  }
}

/** Returns number k of each column. Copies bits, because assigning a number may lose the payload of a NaN. */
export function numbersAt(
  columns: readonly Float64Array[],
  k: number,
): Float64Array {
  const row = new Float64Array(columns.length);
  for (const [n, column] of columns.entries())
    row.set(column.subarray(k, k + 1), n);
  return row;
}

/** Returns whether a column holds Spark ML vectors: structs of type, size, indices and values. */
export function isSparkVector({ type, children }: Field): boolean {
  return (
    type.kind === "Struct" &&
    children.map(({ name }) => name).join() === "type,size,indices,values"
  );
}

/** Returns whether a column can be decoded as one number per row. */
export function isDecodableNumber({ type, dictionary }: Field): boolean {
  if (dictionary) return dictionary.indexType.kind === "Int";
  return numberTypeOf(type) !== null || ["Bool", "Decimal"].includes(type.kind);
}

/** Returns whether the values of a column, or of its dictionary, are strings. */
export function isText({ type }: Field): boolean {
  return ["Utf8", "LargeUtf8", "Utf8View"].includes(type.kind);
}

/** Sets a value to the NaN that marks a null. */
export function setNull(out: Float64Array, k: number): void {
  new BigInt64Array(out.buffer, out.byteOffset, out.length)[k] = NULL_BITS_64;
}

/** Decoder of texts, which decodes most of those that recur only once. */
class RecurringTexts {
  readonly #known: { bytes: Uint8Array; text: string }[] = [];

  decode(bytes: Uint8Array): string {
    let hash = bytes.length;
    for (let n = 0; n < bytes.length; n++)
      hash = (Math.imul(hash, 31) + (bytes[n] as number)) | 0;
    const slot = hash & 1023;
    const known = this.#known[slot];
    if (known && isEqual(known.bytes, bytes)) return known.text;
    const { buffer, byteOffset, byteLength } = bytes;
    const text = Buffer.from(buffer, byteOffset, byteLength).toString();
    this.#known[slot] = { bytes: bytes.slice(), text };
    return text;
  }
}

function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  let n = 0;
  while (n < one.length && one[n] === other[n]) n++;
  return n === one.length;
}

/** Returns the float64 nearest to a decimal, by parsing its digits. */
function decimalAt(
  view: DataView,
  k: number,
  { bitWidth, scale }: Extract<ArrowType, { kind: "Decimal" }>,
): number {
  const width = bitWidth / 8;
  let value = 0n;
  for (let n = width - 1; n >= 0; n--)
    value = (value << 8n) | BigInt(view.getUint8(k * width + n));
  return Number(`${BigInt.asIntN(bitWidth, value)}e${-scale}`);
}
