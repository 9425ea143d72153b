import {
  checkCode,
  DamagedColumn,
  itemsOf,
  type KeptBuffers,
  type KeptNode,
  type KeptPiece,
  nestedPiece,
  whereOf,
} from "./kept-nodes.js";
import { type Read, ReadWindow } from "./read-window.js";

/** Reads what says where the values of a node are. */
export class NodeReader {
  readonly #node: KeptNode;
  readonly #validity: ReadWindow;
  readonly #offsets: ReadWindow;

  constructor(node: KeptNode, read: Read) {
    this.#node = node;
    this.#validity = new ReadWindow(read);
    this.#offsets = new ReadWindow(read);
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

  /** Returns a piece for each code of a piece. @throws DamagedColumn */
  *codes(piece: KeptPiece, buffers: KeptBuffers): Generator<KeptPiece> {
    const { bits, signed } = this.#node;
    const { children: parts, values, length } = buffers;
    const codeAt = integers(this.#offsets, bits / 8, values, length, signed);
    const ending = parts.at(-1);
    const count = ending ? ending.firstCode + ending.length : 0;
    for (let k = piece.from; k < piece.to; k++) {
      if (this.isNull(buffers, k)) {
        yield nestedPiece(null, 0, 1);
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
      yield nestedPiece(part, at, at + 1);
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
  if (node.form === "codes") return below(node.children[0] as KeptNode, 0);
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
        `expected at most ${MAX_PIECES} lists or codes in a record batch of the output, found more; join this column by row`,
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
    if (!buffers && form === "list") continue;
    if (!buffers || form === "struct" || form === "fixed-size-list")
      yield nestedPiece(below, from * size, to * size, repeat);
    else if (form === "list")
      yield nestedPiece(below, ...reader.ends(piece, buffers), repeat);
    else for (let n = 0; n < repeat; n++) yield* reader.codes(piece, buffers);
  }
}
