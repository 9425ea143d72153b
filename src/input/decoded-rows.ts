import type { ArrowType, Field } from "../arrow/field.js";
import { storedType } from "../arrow/field.js";
import { float16Value } from "../arrow/half-floats.js";
import { InputFormatError, InputUnsupportedError } from "../errors.js";
import { NULL_BITS_64 } from "../numeric/bad-row.js";
import type { BatchMetadata } from "./arrow-metadata.js";
import type { ColumnSpan } from "./column-spans.js";
import type { InputFile } from "./input-file.js";
import { readInput } from "./read-input.js";
import { type BatchContext, placeBuffer } from "./record-batch.js";

// Columns of numbers that workers do not read in place are decoded here, a batch at a time, to float64 (an integer that
// float64 does not hold is refused). A null becomes a NaN of its own kind.

/** The numbers of a row; null for a null row. */
export type DecodedRow = Float64Array | null;

/** Decodes columns of one record batch. */
export class BatchDecoder {
  readonly #file: Pick<InputFile, "path" | "fd" | "present">;
  readonly #context: BatchContext;
  readonly #batch: BatchMetadata;

  constructor(
    file: Pick<InputFile, "path" | "fd" | "present">,
    context: BatchContext,
    batch: BatchMetadata,
  ) {
    this.#file = file;
    this.#context = context;
    this.#batch = batch;
  }

  /** One number for each value of a column, which may be a struct of one number. @throws InputFormatError, InputUnsupportedError, IoError */
  numbers(span: ColumnSpan): Float64Array {
    const { field } = span;
    const type = storedType(field);
    const count = this.#length(span);
    const isNull = this.nulls(span);
    const [only] = span.children;
    if (only) {
      const numbers = this.numbers(only);
      for (let k = 0; k < count; k++) if (isNull(k)) setNull(numbers, k);
      return numbers;
    }
    const out = new Float64Array(count);
    if (type.kind === "Bool") {
      const bits = this.#bytes(span, 1, Math.ceil(count / 8));
      for (let k = 0; k < count; k++) out[k] = bitOf(bits, k);
    } else {
      const read = readerOf(type);
      const bytes = this.#bytes(span, 1, count * read.width);
      const view = new DataView(bytes.buffer);
      for (let k = 0; k < count; k++) out[k] = read.at(view, k * read.width);
    }
    for (let k = 0; k < count; k++)
      if (isNull(k)) setNull(out, k);
      else if (type.kind === "Int" && !Number.isSafeInteger(out[k]))
        throw new InputUnsupportedError(
          this.#file.path,
          `${this.#context.where}, column ${field.name}`,
          `expected whole numbers that float64 holds exactly, found ${out[k]} at value ${k}; write smaller numbers, or floats`,
        );
    return out;
  }

  /** `numberOf(k)` for each value k of a column that is not null. */
  mapped(span: ColumnSpan, numberOf: (k: number) => number): Float64Array {
    const out = new Float64Array(this.#length(span));
    const isNull = this.nulls(span);
    for (let k = 0; k < out.length; k++)
      if (isNull(k)) setNull(out, k);
      else out[k] = numberOf(k);
    return out;
  }

  /** The numbers of each row of a column of lists, of structs of numbers, or of single numbers. @throws as numbers */
  rows(span: ColumnSpan): DecodedRow[] {
    const { field, children } = span;
    const count = this.#length(span);
    const isNull = this.nulls(span);
    const rows = (row: (k: number) => Float64Array) =>
      Array.from({ length: count }, (_, k) => (isNull(k) ? null : row(k)));
    if (isSparkVector(field)) return rows(this.#vectors(span));
    const { type } = field;
    if (field.dictionary || children.length === 0) {
      const numbers = this.numbers(span);
      return rows((k) => numbers.subarray(k, k + 1));
    }
    const columns = children.map((child) => this.numbers(child));
    if (type.kind === "Struct")
      return rows((k) =>
        columns.reduce((row, column, n) => {
          copyNumber(column, k, row, n);
          return row;
        }, new Float64Array(columns.length)),
      );
    const [values] = columns as [Float64Array];
    const [start, end] = this.bounds(span, values.length);
    return rows((k) => values.subarray(start(k), end(k)));
  }

  /** Spark's vectors: dense (type 1) have all values, sparse (type 0) those at `indices`; the others are 0. */
  #vectors(span: ColumnSpan): (k: number) => Float64Array {
    const part = (name: string) =>
      span.children.find(({ field }) => field.name === name) as ColumnSpan;
    const kinds = this.numbers(part("type"));
    const sizes = this.numbers(part("size"));
    const indices = this.rows(part("indices"));
    const values = this.rows(part("values"));
    const fail = (k: number, text: string): never => {
      throw new InputFormatError(
        this.#file.path,
        `${this.#context.where}, column ${span.field.name}, vector ${k}`,
        text,
      );
    };
    return (k) => {
      const found = values[k] ?? fail(k, "a vector has no values");
      if (kinds[k] === 1) return found;
      const size = sizes[k] as number;
      const places = indices[k] ?? fail(k, "a sparse vector has no indices");
      if (!(size >= 0 && size < 2 ** 31) || places.length !== found.length)
        fail(
          k,
          `expected a size and as many indices as values, found size ${size}, ${places.length} indices and ${found.length} values`,
        );
      const row = new Float64Array(size);
      for (const [n, place] of places.entries()) {
        if (!(place >= 0 && place < size))
          fail(k, `expected indices from 0 to ${size - 1}, found ${place}`);
        copyNumber(found, n, row, place);
      }
      return row;
    };
  }

  /** Returns the index of the first value of a list, and of the value after its last. */
  bounds(
    span: ColumnSpan,
    count: number,
  ): [start: (k: number) => number, end: (k: number) => number] {
    const { type } = span.field;
    if (type.kind === "FixedSizeList") {
      const { listSize } = type;
      return [(k) => k * listSize, (k) => (k + 1) * listSize];
    }
    const width = type.kind === "LargeList" ? 8 : 4;
    const lists = this.#length(span);
    const bytes = this.#bytes(span, 1, lists === 0 ? 0 : (lists + 1) * width);
    const view = new DataView(bytes.buffer);
    const offset = (k: number) =>
      width === 4
        ? view.getInt32(4 * k, true)
        : Number(view.getBigInt64(8 * k, true));
    for (let k = 0; k < lists; k++)
      if (
        !(
          offset(k) >= 0 &&
          offset(k) <= offset(k + 1) &&
          offset(k + 1) <= count
        )
      )
        throw new InputFormatError(
          this.#file.path,
          `${this.#context.where}, column ${span.field.name}, list ${k}`,
          `expected a list within values 0 to ${count}, found ${offset(k)} to ${offset(k + 1)}`,
        );
    return [offset, (k) => offset(k + 1)];
  }

  #length({ node }: ColumnSpan): number {
    return (this.#batch.nodes[node] as BatchMetadata["nodes"][0]).length;
  }

  /** Whether a value of a column is null. */
  nulls(span: ColumnSpan): (k: number) => boolean {
    const { length, nullCount } = this.#batch.nodes[
      span.node
    ] as BatchMetadata["nodes"][0];
    const bits =
      nullCount > 0 ? this.#bytes(span, 0, Math.ceil(length / 8)) : null;
    const outer = span.parents.map((parent) => this.nulls(parent));
    return (k) =>
      (bits !== null && bitOf(bits, k) === 0) ||
      outer.some((isNull) => isNull(k));
  }

  #bytes(span: ColumnSpan, k: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    if (length > 0)
      readInput(
        this.#file,
        bytes,
        placeBuffer(this.#context, this.#batch, span, k, length),
      );
    return bytes;
  }
}

/** Whether a column holds vectors of Spark ML: structs of type, size, indices and values. */
export function isSparkVector({ type, children }: Field): boolean {
  return (
    type.kind === "Struct" &&
    children.map(({ name }) => name).join() === "type,size,indices,values"
  );
}

/** Whether a column is decodable as one number a row. */
export function isDecodableNumber({ type, dictionary }: Field): boolean {
  if (dictionary) return dictionary.indexType.kind === "Int";
  return type.kind === "FloatingPoint"
    ? type.precision in FLOATS
    : ["Int", "Bool", "Decimal"].includes(type.kind);
}

/** Sets a value to the NaN that marks a null. */
export function setNull(out: Float64Array, k: number): void {
  new BigInt64Array(out.buffer, out.byteOffset, out.length)[k] = NULL_BITS_64;
}

/** Copies bits: an assignment of numbers may lose which NaN it is. */
function copyNumber(
  from: Float64Array,
  k: number,
  to: Float64Array,
  n: number,
): void {
  to.set(from.subarray(k, k + 1), n);
}

function bitOf(bits: Uint8Array, k: number): number {
  return ((bits[k >> 3] as number) >> (k & 7)) & 1;
}

interface NumberReader {
  width: number;
  at(view: DataView, position: number): number;
}

function readerOf(type: ArrowType): NumberReader {
  if (type.kind === "FloatingPoint")
    return FLOATS[type.precision] as NumberReader;
  if (type.kind === "Decimal") return decimals(type);
  const { bitWidth, signed } = type as Extract<ArrowType, { kind: "Int" }>;
  const width = bitWidth / 8;
  return {
    width,
    at: (view, position) => Number(wholeAt(view, position, width, signed)),
  };
}

const FLOATS: readonly NumberReader[] = [
  {
    width: 2,
    at: (view, position) => float16Value(view.getUint16(position, true)),
  },
  { width: 4, at: (view, position) => view.getFloat32(position, true) },
  { width: 8, at: (view, position) => view.getFloat64(position, true) },
];

/** A decimal as the float64 next to it: what its digits read as. */
function decimals({
  bitWidth,
  scale,
}: Extract<ArrowType, { kind: "Decimal" }>): NumberReader {
  const width = bitWidth / 8;
  return {
    width,
    at: (view, position) =>
      Number(`${wholeAt(view, position, width, true)}e${-scale}`),
  };
}

/** A little-endian integer of any width. */
function wholeAt(
  view: DataView,
  position: number,
  width: number,
  signed: boolean,
): bigint {
  let value = 0n;
  for (let k = width - 1; k >= 0; k--)
    value = (value << 8n) | BigInt(view.getUint8(position + k));
  return signed ? BigInt.asIntN(8 * width, value) : value;
}
