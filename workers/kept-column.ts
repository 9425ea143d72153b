import { isUtf8 } from "node:buffer";
import { Utf8Texts } from "../src/arrow/utf8-texts.js";
import {
  type DataBuffer,
  VIEW_BYTES,
  ViewedValues,
  ViewOutside,
} from "../src/arrow/views.js";
import { putBytes } from "../src/io/put-bytes.js";
import type {
  KeptColumnTask,
  KeptPiece,
  WorkerSetup,
} from "../src/pool/protocol.js";
import { appendBits, countZeros } from "./bitmap.js";
import { readInto } from "./read-source.js";
import { TaskFailure, withSide } from "./task-failure.js";

/** Values copied at once. */
const COPY_BYTES = 1 << 20;

/**
 * Copies one kept column of an output record batch from the input's batches that it spans, into the output or into
 * `target`. Returns its nulls.
 */
export function copyKeptColumn(
  setup: WorkerSetup,
  column: KeptColumnTask,
  rows: number,
  target: SharedArrayBuffer | null,
): number {
  const copier = new ColumnCopier(setup, column, target);
  const validity = column.validity ? new Uint8Array(bitmapBytes(rows)) : null;
  const bools = column.bits === 1 ? new Uint8Array(bitmapBytes(rows)) : null;
  let done = 0;
  for (const piece of column.pieces) {
    const valid = copier.validity(piece);
    const count = piece.to - piece.from;
    if (validity) appendBits(validity, done, valid, piece.from & 7, count);
    if (bools) {
      const source = copier.bits(piece.values, piece);
      appendBits(bools, done, source, piece.from & 7, count);
    } else if (column.bits > 0) copier.fixedWidth(piece, valid);
    else if (piece.data) copier.viewed(piece, valid, piece.data);
    else copier.variableLength(piece);
    done += piece.to - piece.from;
  }
  copier.finish();
  if (bools) copier.write(bools, column.out.values);
  if (!validity) return 0;
  copier.write(validity, column.out.validity);
  return countZeros(validity, rows);
}

function bitmapBytes(rows: number): number {
  return Math.ceil(rows / 8);
}

/** Short texts, written many at once. */
class Gathered {
  readonly #bytes = new Uint8Array(COPY_BYTES);
  held = 0;

  constructor(private readonly write: (bytes: Uint8Array) => void) {}

  add(text: Uint8Array): void {
    if (this.held + text.byteLength > COPY_BYTES) this.flush();
    if (text.byteLength > COPY_BYTES) {
      this.write(text);
      return;
    }
    this.#bytes.set(text, this.held);
    this.held += text.byteLength;
  }

  flush(): void {
    this.write(this.#bytes.subarray(0, this.held));
    this.held = 0;
  }
}

class ColumnCopier {
  /** Bytes of values and of offsets written so far. */
  #values = 0;
  #offsets = 0;

  constructor(
    private readonly setup: WorkerSetup,
    private readonly column: KeptColumnTask,
    private readonly target: SharedArrayBuffer | null,
  ) {}

  read(position: number, bytes: number): Uint8Array {
    const target = new Uint8Array(bytes);
    readInto(this.setup, target, position);
    return target;
  }

  write(source: Uint8Array, position: number): void {
    if (this.target) new Uint8Array(this.target).set(source, position);
    else
      withSide("output", () => putBytes(this.setup.output, source, position));
  }

  /** The bytes of a bitmap that hold the piece's rows: the first of them is bit `from & 7`. */
  bits(bitmap: number, { from, to }: KeptPiece): Uint8Array {
    const first = from >> 3;
    return this.read(bitmap + first, bitmapBytes(to) - first);
  }

  /** The piece's validity, as `bits`; null where it has no nulls. */
  validity(piece: KeptPiece): Uint8Array | null {
    return piece.nullCount > 0 ? this.bits(piece.validity, piece) : null;
  }

  fixedWidth(piece: KeptPiece, valid: Uint8Array | null): void {
    const bytes = this.column.bits / 8;
    const step = Math.max(1, Math.floor(COPY_BYTES / bytes));
    for (let from = piece.from; from < piece.to; from += step) {
      const count = Math.min(step, piece.to - from);
      const values = this.read(piece.values + from * bytes, count * bytes);
      if (this.column.indexLimit !== null)
        this.#checkIndices(values, piece, from, valid);
      this.write(values, this.column.out.values + this.#values);
      this.#values += values.byteLength;
    }
  }

  variableLength(piece: KeptPiece): void {
    const { offsetBytes, out, utf8 } = this.column;
    const step = COPY_BYTES / offsetBytes;
    for (let from = piece.from; from < piece.to; from += step) {
      const count = Math.min(step, piece.to - from);
      const bytes = this.read(
        piece.offsets + from * offsetBytes,
        (count + 1) * offsetBytes,
      );
      const [first, last] = this.#rebase(bytes, piece, from);
      this.write(
        bytes.subarray(0, count * offsetBytes),
        out.offsets + this.#offsets,
      );
      this.#offsets += count * offsetBytes;
      const shift = first - this.#values;
      const view = new DataView(bytes.buffer);
      const texts = new Utf8Texts(
        count,
        (k) => shift + getOffset(view, k * offsetBytes, offsetBytes),
      );
      for (let at = first; at < last; ) {
        const part = this.read(
          piece.values + at,
          Math.min(COPY_BYTES, last - at),
        );
        const whole = utf8 ? texts.check(part, at) : part.byteLength;
        if (whole === null) {
          const read = (start: number, length: number) =>
            this.read(piece.values + start, length);
          throw this.#notUtf8(piece, from + texts.firstBad(read));
        }
        this.write(part.subarray(0, whole), out.values + this.#values);
        this.#values += whole;
        at += whole;
      }
    }
  }

  /** Writes the values that views show, and offsets in their place. */
  viewed(
    piece: KeptPiece,
    valid: Uint8Array | null,
    data: readonly DataBuffer[],
  ): void {
    const { out } = this.column;
    const values = new ViewedValues((at, bytes) => this.read(at, bytes), data);
    const step = COPY_BYTES / VIEW_BYTES;
    for (let from = piece.from; from < piece.to; from += step) {
      const count = Math.min(step, piece.to - from);
      const views = this.read(
        piece.values + from * VIEW_BYTES,
        count * VIEW_BYTES,
      );
      const view = new DataView(views.buffer);
      const offsets = new Int32Array(count);
      const texts = new Gathered((bytes) => {
        this.write(bytes, out.values + this.#values);
        this.#values += bytes.byteLength;
      });
      for (let k = 0; k < count; k++) {
        offsets[k] = this.#values + texts.held;
        const bit = from + k - (piece.from & ~7);
        if (valid && !((valid[bit >> 3] as number) & (1 << (bit & 7))))
          continue;
        const text = this.#value(values, view, k, piece, from);
        if (this.column.utf8 && !isUtf8(text))
          throw this.#notUtf8(piece, from + k);
        texts.add(text);
      }
      texts.flush();
      this.write(new Uint8Array(offsets.buffer), out.offsets + this.#offsets);
      this.#offsets += offsets.byteLength;
    }
  }

  #notUtf8(piece: KeptPiece, index: number): TaskFailure {
    return new TaskFailure({
      kind: "damaged",
      where: `column ${this.column.name}, row ${piece.rowStart - piece.from + index}`,
      text: "the text is not valid UTF-8",
    });
  }

  #value(
    values: ViewedValues,
    views: DataView,
    k: number,
    piece: KeptPiece,
    from: number,
  ): Uint8Array {
    try {
      return values.value(views, k * VIEW_BYTES);
    } catch (error) {
      if (!(error instanceof ViewOutside)) throw error;
      const row = piece.rowStart - piece.from + from + k;
      throw new TaskFailure({
        kind: "damaged",
        where: `column ${this.column.name}, row ${row}`,
        text: error.message,
      });
    }
  }

  /** Writes the closing offset, and checks that the values are as long as the plan found them. */
  finish(): void {
    const { offsetBytes, out, valuesBytes, name } = this.column;
    if (offsetBytes === 0) return;
    if (this.#values !== valuesBytes)
      throw new TaskFailure({
        kind: "damaged",
        where: `column ${name}`,
        text: `the file changed while it was read (${valuesBytes} bytes of values before, ${this.#values} now)`,
      });
    const end = new Uint8Array(offsetBytes);
    setOffset(new DataView(end.buffer), 0, offsetBytes, this.#values);
    this.write(end, out.offsets + this.#offsets);
  }

  /** Checks count + 1 offsets and rebases them, in place, to the output. Returns the input's first and last. */
  #rebase(
    bytes: Uint8Array,
    piece: KeptPiece,
    from: number,
  ): [first: number, last: number] {
    const { offsetBytes, name } = this.column;
    const view = new DataView(bytes.buffer);
    const first = getOffset(view, 0, offsetBytes);
    let previous = first;
    for (let at = 0; at < bytes.byteLength; at += offsetBytes) {
      const offset = getOffset(view, at, offsetBytes);
      if (offset < previous || offset < 0 || offset > piece.valuesBytes)
        throw new TaskFailure({
          kind: "damaged",
          where: `column ${name}, row ${piece.rowStart - piece.from + from + at / offsetBytes}`,
          text: `expected an offset from ${previous} to ${piece.valuesBytes}, found ${offset}`,
        });
      setOffset(view, at, offsetBytes, offset - first + this.#values);
      previous = offset;
    }
    return [first, previous];
  }

  #checkIndices(
    bytes: Uint8Array,
    piece: KeptPiece,
    from: number,
    valid: Uint8Array | null,
  ): void {
    const { bits, signed, indexLimit, name } = this.column;
    const view = new DataView(bytes.buffer);
    const width = bits / 8;
    for (let at = 0; at < bytes.byteLength; at += width) {
      const row = from + at / width;
      const bit = row - (piece.from & ~7);
      if (valid && !((valid[bit >> 3] as number) & (1 << (bit & 7)))) continue;
      const index = getIndex(view, at, bits, signed);
      if (index < 0 || index >= (indexLimit as number))
        throw new TaskFailure({
          kind: "damaged",
          where: `column ${name}, row ${piece.rowStart - piece.from + row}`,
          text: `expected a dictionary index from 0 to ${(indexLimit as number) - 1}, found ${index}`,
        });
    }
  }
}

function getOffset(view: DataView, at: number, bytes: number): number {
  return bytes === 4
    ? view.getInt32(at, true)
    : Number(view.getBigInt64(at, true));
}

function setOffset(
  view: DataView,
  at: number,
  bytes: number,
  value: number,
): void {
  if (bytes === 4) view.setInt32(at, value, true);
  else view.setBigInt64(at, BigInt(value), true);
}

function getIndex(
  view: DataView,
  at: number,
  bits: number,
  signed: boolean,
): number {
  switch (bits) {
    case 8:
      return signed ? view.getInt8(at) : view.getUint8(at);
    case 16:
      return signed ? view.getInt16(at, true) : view.getUint16(at, true);
    case 32:
      return signed ? view.getInt32(at, true) : view.getUint32(at, true);
    default:
      return Number(
        signed ? view.getBigInt64(at, true) : view.getBigUint64(at, true),
      );
  }
}
