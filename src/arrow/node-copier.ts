import { isUtf8 } from "node:buffer";
import { appendBits, bitAt, countZeros } from "./bitmap.js";
import { BufferWriter } from "./buffer-writer.js";
import {
  type CopiedBuffers,
  type CopiedNode,
  type CopiedPiece,
  type CopiedShape,
  checkCode,
  DamagedColumn,
  describePosition,
  itemsOf,
} from "./copied-nodes.js";
import { NodeReader } from "./node-reader.js";
import { integerAt, type Read, ReadWindow, viewOf } from "./read-window.js";
import { firstNotUtf8, storesUtf8 } from "./utf8-texts.js";
import { VIEW_BYTES, ViewedValues } from "./views.js";

/** Buffer sizes and positions of a node, in the output or in memory. */
export interface NodeTarget {
  shape: CopiedShape;
  validity: number;
  offsets: number;
  values: number;
}

/** Maximum bytes per read, unless one text has more. */
const COPY_BYTES = 1 << 20;
/** Texts are read whole; some readers reject record batches of more bytes. */
const MAX_TEXT_BYTES = 1 << 28;
const NOT_UTF8 = "the text is not valid UTF-8";

function bitmapBytes(rows: number): number {
  return Math.ceil(rows / 8);
}

/** Copies the pieces of one node; each of its children has its own copier. */
export class NodeCopier {
  readonly #reader: NodeReader;
  readonly #validity: Uint8Array | null;
  readonly #bools: Uint8Array | null;
  readonly #offsets: BufferWriter;
  readonly #values: BufferWriter;
  readonly #bitWindow: ReadWindow;
  readonly #offsetWindow: ReadWindow;
  readonly #valueWindow: ReadWindow;
  /** Rows copied so far. */
  #rows = 0;
  /** Items (bytes of text, or values of lists) of these rows: the next offset. */
  #items = 0;

  constructor(
    private readonly node: CopiedNode,
    private readonly target: NodeTarget,
    private readonly read: Read,
    private readonly write: (source: Uint8Array, position: number) => void,
  ) {
    const { shape, offsets, values } = target;
    const { rows } = shape;
    const writer = (size: number, start: number) =>
      new BufferWriter(
        size,
        (part, offset) => write(part, start + offset),
        () => this.#throwChanged(),
      );
    this.#reader = new NodeReader(node, read);
    this.#bitWindow = new ReadWindow(read);
    this.#offsetWindow = new ReadWindow(read);
    this.#valueWindow = new ReadWindow(read);
    const isBool = node.bits === 1;
    this.#validity = shape.validity ? new Uint8Array(shape.validity) : null;
    this.#bools = isBool ? new Uint8Array(bitmapBytes(rows)) : null;
    this.#offsets = writer(shape.offsets ?? 0, offsets);
    this.#values = writer(isBool ? 0 : (shape.values ?? 0), values);
  }

  copy(piece: CopiedPiece): void {
    const { form, offsetBytes } = this.node;
    if (form !== "fixed-width" && offsetBytes === 0 && !this.#validity) {
      this.#rows += (piece.to - piece.from) * piece.repeat;
      return;
    }
    for (let n = 0; n < piece.repeat; n++) this.#copyOnce(piece);
  }

  /** Writes pending bytes and returns the null count. */
  finish(): number {
    const { node, target } = this;
    const { rows } = target.shape;
    if (node.offsetBytes > 0) this.#addOffsets(1, () => 0);
    if (this.#rows !== rows) this.#throwChanged();
    this.#offsets.finish();
    this.#values.finish();
    if (this.#bools) this.write(this.#bools, target.values);
    if (node.form === "null") return rows;
    if (!this.#validity) return 0;
    this.write(this.#validity, target.validity);
    return countZeros(this.#validity, rows);
  }

  #copyOnce(piece: CopiedPiece): void {
    const { form } = this.node;
    const { buffers, from, to } = piece;
    const count = to - from;
    if (this.#rows + count > this.target.shape.rows) this.#throwChanged();
    const valid =
      buffers && buffers.nullCount > 0
        ? this.#readBits(buffers.validity, piece, buffers)
        : null;
    if (this.#validity && buffers)
      appendBits(this.#validity, this.#rows, valid, from & 7, count);
    if (!buffers) this.#fillNulls(count);
    else if (this.#bools) {
      const source = this.#readBits(buffers.values, piece, buffers);
      appendBits(this.#bools, this.#rows, source, from & 7, count);
    } else if (form === "fixed-width")
      this.#copyFixedWidth(piece, buffers, valid);
    else if (form === "views") this.#copyViews(piece, buffers, valid);
    else if (form === "list-view") this.#copyListViews(piece, buffers);
    else if (form === "text" || form === "list")
      this.#copyWithOffsets(piece, buffers);
    this.#rows += count;
  }

  /** Returns the bytes of a bitmap for a piece, whose first value is bit `from & 7`. */
  #readBits(
    bitmap: number,
    { from, to }: CopiedPiece,
    { length }: CopiedBuffers,
  ): Uint8Array {
    const first = from >> 3;
    const end = bitmap + bitmapBytes(length);
    return this.#bitWindow.bytes(bitmap + first, bitmapBytes(to) - first, end);
  }

  /** Writes zeros for nulls that have no values in the input. */
  #fillNulls(count: number): void {
    const { form, bits, offsetBytes } = this.node;
    if (offsetBytes > 0) this.#addOffsets(count, () => 0);
    if (form === "fixed-width" && bits > 1)
      for (let n = 0; n < count; n++)
        this.#values.add(new Uint8Array(bits / 8));
  }

  #copyFixedWidth(
    piece: CopiedPiece,
    buffers: CopiedBuffers,
    valid: Uint8Array | null,
  ): void {
    const width = this.node.bits / 8;
    const end = buffers.values + buffers.valuesBytes;
    for (const { from, count } of chunksOf(piece, width)) {
      const start = buffers.values + from * width;
      const values = this.#valueWindow.bytes(start, count * width, end);
      if (this.node.dictionaryValues !== null)
        this.#checkIndices(viewOf(values), piece, from, valid);
      this.#values.add(values);
    }
  }

  /** Copies texts, or the offsets of lists. */
  #copyWithOffsets(piece: CopiedPiece, buffers: CopiedBuffers): void {
    const { offsetBytes: width, form } = this.node;
    const end = buffers.offsets + (buffers.length + 1) * width;
    for (const { from, count } of chunksOf(piece, width)) {
      const start = buffers.offsets + from * width;
      const bytes = (count + 1) * width;
      const view = viewOf(this.#offsetWindow.bytes(start, bytes, end));
      const offset = (k: number) => integerAt(view, k * width, width);
      this.#checkOffsets(offset, count, piece, buffers, from);
      this.#addOffsets(count, (k) => offset(k + 1) - offset(k));
      if (form === "text") this.#copyTexts(piece, buffers, from, count, offset);
    }
  }

  /** Copies whole texts, because each must be UTF-8 by itself. */
  #copyTexts(
    piece: CopiedPiece,
    { values, valuesBytes }: CopiedBuffers,
    from: number,
    count: number,
    offset: (k: number) => number,
  ): void {
    const utf8 = storesUtf8(this.node.field);
    for (let next = 0; offset(next) < offset(count); ) {
      const first = next;
      const start = offset(first);
      do next++;
      while (next < count && offset(next + 1) - start <= COPY_BYTES);
      const bytes = offset(next) - start;
      if (bytes > MAX_TEXT_BYTES)
        throw this.#damaged(
          piece,
          from + first,
          `expected at most ${MAX_TEXT_BYTES} bytes in one value, found ${bytes}; join this column by row`,
        );
      const end = values + valuesBytes;
      const part = this.#valueWindow.bytes(values + start, bytes, end);
      const starts = (k: number) => offset(first + k) - start;
      const bad = utf8 ? firstNotUtf8(part, next - first, starts) : -1;
      if (bad >= 0) throw this.#damaged(piece, from + first + bad, NOT_UTF8);
      this.#values.add(part);
    }
  }

  /** Converts views to offsets and values. */
  #copyViews(
    piece: CopiedPiece,
    buffers: CopiedBuffers,
    valid: Uint8Array | null,
  ): void {
    const utf8 = storesUtf8(this.node.field);
    let row = piece.from;
    const viewed = new ViewedValues(this.read, buffers.data ?? [], (text) => {
      throw this.#damaged(piece, row, text);
    });
    const end = buffers.values + buffers.length * VIEW_BYTES;
    for (const { from, count } of chunksOf(piece, VIEW_BYTES)) {
      const start = buffers.values + from * VIEW_BYTES;
      const bytes = count * VIEW_BYTES;
      const view = viewOf(this.#valueWindow.bytes(start, bytes, end));
      this.#addOffsets(count, (k) => {
        row = from + k;
        if (!isSet(valid, piece, row)) return 0;
        const text = viewed.value(view, k * VIEW_BYTES);
        if (utf8 && !isUtf8(text)) throw this.#damaged(piece, row, NOT_UTF8);
        this.#values.add(text);
        return text.byteLength;
      });
    }
  }

  #copyListViews(piece: CopiedPiece, buffers: CopiedBuffers): void {
    const lists = this.#reader.values(piece, buffers);
    for (const { count } of chunksOf(piece, this.node.offsetBytes))
      this.#addOffsets(count, () => {
        const { from, to } = lists.next().value as CopiedPiece;
        return to - from;
      });
  }

  /** Writes the start offsets of `count` values; value k has `size(k)` items. */
  #addOffsets(count: number, size: (k: number) => number): void {
    const { offsetBytes } = this.node;
    const bytes = new Uint8Array(count * offsetBytes);
    const view = new DataView(bytes.buffer);
    for (let k = 0; k < count; k++) {
      if (offsetBytes === 4) view.setInt32(4 * k, this.#items, true);
      else view.setBigInt64(8 * k, BigInt(this.#items), true);
      this.#items += size(k);
    }
    this.#offsets.add(bytes);
  }

  #damaged(piece: CopiedPiece, k: number, text: string): DamagedColumn {
    return new DamagedColumn(describePosition(this.node, piece, k), text);
  }

  #checkOffsets(
    offset: (k: number) => number,
    count: number,
    piece: CopiedPiece,
    buffers: CopiedBuffers,
    from: number,
  ): void {
    const items = itemsOf(this.node, buffers);
    let previous = 0;
    for (let k = 0; k <= count; k++) {
      const next = offset(k);
      if (next < previous || next > items)
        throw this.#damaged(
          piece,
          from + k,
          `expected an offset from ${previous} to ${items}, found ${next}`,
        );
      previous = next;
    }
  }

  #checkIndices(
    codes: DataView,
    piece: CopiedPiece,
    from: number,
    valid: Uint8Array | null,
  ): void {
    const { bits, signed, dictionaryValues } = this.node;
    const width = bits / 8;
    for (let k = 0; k * width < codes.byteLength; k++)
      if (isSet(valid, piece, from + k)) {
        const code = integerAt(codes, k * width, width, signed);
        checkCode(code, dictionaryValues as number, () =>
          describePosition(this.node, piece, from + k),
        );
      }
  }

  /** Throws if the pieces differ from the measured shape. */
  #throwChanged(): never {
    throw new DamagedColumn(
      `column ${this.node.name}`,
      "the file changed while it was read",
    );
  }
}

/** Divides a piece of values of `width` bytes each for reading. */
function* chunksOf({ from, to }: CopiedPiece, width: number) {
  const step = Math.max(1, Math.floor(COPY_BYTES / width));
  for (let at = from; at < to; at += step)
    yield { from: at, count: Math.min(step, to - at) };
}

/** Returns whether value k is not null; `valid` has the piece's bits of the validity bitmap. */
function isSet(
  valid: Uint8Array | null,
  { from }: CopiedPiece,
  k: number,
): boolean {
  return !valid || bitAt(valid, k - (from & ~7)) === 1;
}
