import type { Field } from "./field.js";
import { type Read, ReadWindow } from "./read-window.js";
import type { DataBuffer } from "./views.js";

// A copied column is a tree of nodes, as its type is. What is copied of a node is a sequence of pieces, each a range of its
// values in one record batch; the pieces of its children follow from its offsets, which are read and checked on the way.

/** Node of a copied column: the column, or a type nested in it. */
export interface KeptNode {
  /** Name for messages, such as `choices` or `choices.item`. */
  name: string;
  /** Field of the output, without views, runs and nested dictionaries. */
  field: Field;
  form: KeptForm;
  /** Bits per value of a fixed width (1 = bool), else 0. */
  bits: number;
  /** Whether these values are signed integers. */
  signed: boolean;
  /** Bytes per offset of the output, else 0. */
  offsetBytes: 0 | 4 | 8;
  /** Values per fixed-size list, else 0. */
  listSize: number;
  /** Number of values in the dictionary, which all copied indices must be below; null for other columns. */
  dictionaryValues: number | null;
  /** Child nodes; runs have their ends first. */
  children: KeptNode[];
  /** Rows of one value in memory, which are repeated; null for a column of the file. */
  constant: { memory: Uint8Array<ArrayBuffer>; buffers: KeptBuffers } | null;
}

/** Storage in the input. `runs` (run-end encoded) and `codes` (a dictionary) are replaced by their values in the output. */
export type KeptForm =
  | "fixed-width"
  | "text"
  | "views"
  | "list"
  | "list-view"
  | "fixed-size-list"
  | "struct"
  | "null"
  | "runs"
  | "codes";

/** Buffers of a node in one record batch, as absolute byte offsets; 0 for a buffer that does not exist. */
export interface KeptBuffers {
  /** Number of values. */
  length: number;
  nullCount: number;
  validity: number;
  offsets: number;
  /** Sizes of list views. */
  sizes: number;
  /** Start of the values, views or codes. */
  values: number;
  /** Size of the values; for views an upper bound if no two views share bytes. */
  valuesBytes: number;
  /** Data buffers of views; null if the node has no views. */
  data: DataBuffer[] | null;
  /** Buffers of the child nodes; for codes the parts of the dictionary. */
  children: KeptBuffers[];
  /** Code of the first value of a part of a dictionary, else 0. */
  firstCode: number;
}

/** Values `[from, to)` of a node in one record batch, as often as `repeat`. */
export interface KeptPiece {
  /** null: these values are null. */
  buffers: KeptBuffers | null;
  from: number;
  to: number;
  repeat: number;
  /** Row of the whole file that `from` is, in a column that is not nested; else null. */
  row: number | null;
}

/** Damage in a copied column. */
export class DamagedColumn extends Error {
  constructor(
    readonly where: string,
    message: string,
  ) {
    super(message);
  }
}

/** Returns the place of value k, or of values k to `last`, for messages. */
export function whereOf(
  { name }: KeptNode,
  { row, from }: KeptPiece,
  k: number,
  last = k,
): string {
  const what = row === null ? "value" : "row";
  const first = (row ?? from) - from;
  return last > k
    ? `column ${name}, ${what}s ${first + k} to ${first + last}`
    : `column ${name}, ${what} ${first + k}`;
}

/** Node of the output, with its pieces in order; each call reads them anew. */
export interface OutputNode {
  node: KeptNode;
  pieces: () => Iterable<KeptPiece>;
}

/** Returns the nodes of a column in the order of its field nodes in the output. Reading their pieces throws DamagedColumn. */
export function outputNodes(
  node: KeptNode,
  pieces: () => Iterable<KeptPiece>,
  read: Read,
): OutputNode[] {
  const below = (child: KeptNode, k: number) =>
    outputNodes(
      child,
      () => joined(node, childPieces(node, k, pieces(), read)),
      read,
    );
  if (node.form === "codes" || node.form === "runs") {
    const last = node.children.length - 1;
    return below(node.children[last] as KeptNode, last);
  }
  return [{ node, pieces }, ...node.children.flatMap(below)];
}

/** A small file can have lists of lists that overlap, of so many values that reading them would take days. */
const MAX_PIECES = 2 ** 26;

/** Joins pieces that follow one another, and equal ones. */
function* joined(
  { name }: KeptNode,
  pieces: Iterable<KeptPiece>,
): Generator<KeptPiece> {
  let last: KeptPiece | null = null;
  let count = 0;
  for (const piece of pieces) {
    if (++count > MAX_PIECES)
      throw new DamagedColumn(
        `column ${name}`,
        `expected at most ${MAX_PIECES} lists, runs or codes in a record batch of the output, found more; join this column by row`,
      );
    if (piece.from === piece.to) continue;
    const alike: boolean = last?.buffers === piece.buffers;
    if (last && alike && last.from === piece.from && last.to === piece.to)
      last.repeat += piece.repeat;
    else if (
      last &&
      alike &&
      last.to === piece.from &&
      last.repeat * piece.repeat === 1
    )
      last.to = piece.to;
    else {
      if (last) yield last;
      last = piece;
    }
  }
  if (last) yield last;
}

function* childPieces(
  node: KeptNode,
  k: number,
  pieces: Iterable<KeptPiece>,
  read: Read,
): Generator<KeptPiece> {
  const { form } = node;
  const reader = new NodeReader(node, read);
  const size = form === "fixed-size-list" ? node.listSize : 1;
  for (const piece of pieces) {
    const { buffers, from, to, repeat } = piece;
    const below = buffers?.children[k] ?? null;
    if (!buffers && (form === "list" || form === "list-view")) continue;
    if (!buffers || form === "struct" || form === "fixed-size-list")
      yield nested(below, from * size, to * size, repeat);
    else if (form === "list")
      yield nested(below, ...reader.ends(piece, buffers), repeat);
    else for (let n = 0; n < repeat; n++) yield* reader.values(piece, buffers);
  }
}

function nested(
  buffers: KeptBuffers | null,
  from: number,
  to: number,
  repeat = 1,
): KeptPiece {
  return { buffers, from, to, repeat, row: null };
}

/** Returns how the bytes of a node are read: from memory for a constant. */
export function readerOf({ constant }: KeptNode, read: Read): Read {
  if (!constant) return read;
  return (position, bytes) =>
    constant.memory.subarray(position, position + bytes);
}

/** Reads what says where the values of a node are. */
export class NodeReader {
  readonly #node: KeptNode;
  readonly #validity: ReadWindow;
  readonly #offsets: ReadWindow;
  readonly #sizes: ReadWindow;

  constructor(node: KeptNode, read: Read) {
    this.#node = node;
    this.#validity = new ReadWindow(read);
    this.#offsets = new ReadWindow(read);
    this.#sizes = new ReadWindow(read);
  }

  isNull({ nullCount, validity, length }: KeptBuffers, k: number): boolean {
    if (nullCount === 0) return false;
    const end = validity + Math.ceil(length / 8);
    const byte = this.#validity.integer(validity + (k >> 3), 1, end, false);
    return ((byte >> (k & 7)) & 1) === 0;
  }

  /** Returns the first and the last offset of a piece of texts or lists. @throws DamagedColumn */
  ends(piece: KeptPiece, buffers: KeptBuffers): [first: number, last: number] {
    const { from, to } = piece;
    const { offsets, length } = buffers;
    const offset = integers(
      this.#offsets,
      this.#node.offsetBytes,
      offsets,
      length + 1,
    );
    const most = itemsOf(this.#node, buffers);
    const [first, last] = [offset(from), offset(to)];
    if (first < 0 || last < first || last > most)
      throw new DamagedColumn(
        whereOf(this.#node, piece, from, to - 1),
        `expected offsets within 0 to ${most}, found ${first} to ${last}`,
      );
    return [first, last];
  }

  /** Returns a piece for each list view, run or code. @throws DamagedColumn */
  values(piece: KeptPiece, buffers: KeptBuffers): Generator<KeptPiece> {
    const { form } = this.#node;
    if (form === "list-view") return this.#lists(piece, buffers);
    return form === "runs"
      ? this.#runs(piece, buffers)
      : this.#codes(piece, buffers);
  }

  /** The values of each list view; none for null. */
  *#lists(piece: KeptPiece, buffers: KeptBuffers): Generator<KeptPiece> {
    const { offsetBytes } = this.#node;
    const { length, offsets, sizes, children } = buffers;
    const offset = integers(this.#offsets, offsetBytes, offsets, length);
    const sizeOf = integers(this.#sizes, offsetBytes, sizes, length);
    const most = itemsOf(this.#node, buffers);
    for (let k = piece.from; k < piece.to; k++) {
      const isNull = this.isNull(buffers, k);
      const from = isNull ? 0 : offset(k);
      const size = isNull ? 0 : sizeOf(k);
      if (from < 0 || size < 0 || from + size > most)
        throw new DamagedColumn(
          whereOf(this.#node, piece, k),
          `expected a list within values 0 to ${most}, found ${size} values from ${from}`,
        );
      yield nested(children[0] ?? null, from, from + size);
    }
  }

  *#runs(piece: KeptPiece, { children }: KeptBuffers): Generator<KeptPiece> {
    const [ends, values] = children as [KeptBuffers, KeptBuffers];
    const width = (this.#node.children[0]?.bits ?? 0) / 8;
    const end = integers(this.#offsets, width, ends.values, ends.length);
    let [run, high] = [0, ends.length];
    while (run < high) {
      const middle = (run + high) >> 1;
      if (end(middle) <= piece.from) run = middle + 1;
      else high = middle;
    }
    for (let at = piece.from; at < piece.to; run++) {
      const next = run < ends.length ? Math.min(end(run), piece.to) : at;
      if (next <= at || run >= values.length)
        throw new DamagedColumn(
          whereOf(this.#node, piece, at),
          `expected ascending run ends with a value each, found ${ends.length} run ends and ${values.length} values, and no run for this value`,
        );
      yield nested(values, run, run + 1, next - at);
      at = next;
    }
  }

  *#codes(piece: KeptPiece, buffers: KeptBuffers): Generator<KeptPiece> {
    const { bits, signed } = this.#node;
    const { children: parts, values, length } = buffers;
    const codeAt = integers(this.#offsets, bits / 8, values, length, signed);
    const ending = parts.at(-1);
    const count = ending ? ending.firstCode + ending.length : 0;
    for (let k = piece.from; k < piece.to; k++) {
      if (this.isNull(buffers, k)) {
        yield nested(null, 0, 1);
        continue;
      }
      const code = codeAt(k);
      checkCode(code, count, () => whereOf(this.#node, piece, k));
      let [low, high] = [0, parts.length - 1];
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if ((parts[middle] as KeptBuffers).firstCode <= code) low = middle;
        else high = middle - 1;
      }
      const part = parts[low] as KeptBuffers;
      const at = code - part.firstCode;
      yield nested(part, at, at + 1);
    }
  }
}

/** Integer k of a buffer of `count` integers. */
function integers(
  window: ReadWindow,
  bytes: number,
  start: number,
  count: number,
  signed = true,
): (k: number) => number {
  const end = start + count * bytes;
  return (k) => window.integer(start + k * bytes, bytes, end, signed);
}

/** Number of items that offsets may reach: bytes of text, or values of the child. */
export function itemsOf({ form }: KeptNode, buffers: KeptBuffers): number {
  return form === "text"
    ? buffers.valuesBytes
    : (buffers.children[0]?.length ?? 0);
}

/** @throws DamagedColumn where a dictionary has no value of this index */
export function checkCode(
  code: number,
  count: number,
  where: () => string,
): void {
  if (code < 0 || code >= count)
    throw new DamagedColumn(
      where(),
      `expected a dictionary index from 0 to ${count - 1}, found ${code}`,
    );
}
