import { countWhile } from "../bisect.js";
import {
  type CopiedBuffers,
  type CopiedNode,
  type CopiedPiece,
  checkCode,
  DamagedColumn,
  describePosition,
  itemsOf,
  nestedPiece,
} from "./copied-nodes.js";
import { type Read, ReadWindow } from "./read-window.js";

/** Reads and checks validity, offsets, run ends and codes of a node. */
export class NodeReader {
  readonly #node: CopiedNode;
  readonly #validity: ReadWindow;
  readonly #offsets: ReadWindow;
  readonly #sizes: ReadWindow;

  constructor(node: CopiedNode, read: Read) {
    this.#node = node;
    this.#validity = new ReadWindow(read);
    this.#offsets = new ReadWindow(read);
    this.#sizes = new ReadWindow(read);
  }

  isNull({ nullCount, validity, length }: CopiedBuffers, k: number): boolean {
    if (nullCount === 0) return false;
    const end = validity + Math.ceil(length / 8);
    const byte = this.#validity.integer(validity + (k >> 3), 1, end, false);
    return ((byte >> (k & 7)) & 1) === 0;
  }

  /** Returns the first and last offset of a piece of texts or lists. @throws DamagedColumn */
  ends(
    piece: CopiedPiece,
    buffers: CopiedBuffers,
  ): [first: number, last: number] {
    const { from, to } = piece;
    const { offsets, length } = buffers;
    const { offsetBytes } = this.#node;
    const offset = integers(this.#offsets, offsetBytes, offsets, length + 1);
    const items = itemsOf(this.#node, buffers);
    const [first, last] = [offset(from), offset(to)];
    if (first < 0 || last < first || last > items)
      throw new DamagedColumn(
        describePosition(this.#node, piece, from, to - 1),
        `expected offsets within 0 to ${items}, found ${first} to ${last}`,
      );
    return [first, last];
  }

  /** Yields a piece of the child for each list view, run or code. @throws DamagedColumn */
  values(piece: CopiedPiece, buffers: CopiedBuffers): Generator<CopiedPiece> {
    const { form } = this.#node;
    if (form === "list-view") return this.#lists(piece, buffers);
    return form === "runs"
      ? this.#runs(piece, buffers)
      : this.#codes(piece, buffers);
  }

  /** Yields the values of each list view; an empty piece for null. */
  *#lists(piece: CopiedPiece, buffers: CopiedBuffers): Generator<CopiedPiece> {
    const { offsetBytes } = this.#node;
    const { length, offsets, sizes, children } = buffers;
    const offset = integers(this.#offsets, offsetBytes, offsets, length);
    const sizeOf = integers(this.#sizes, offsetBytes, sizes, length);
    const items = itemsOf(this.#node, buffers);
    for (let k = piece.from; k < piece.to; k++) {
      const isNull = this.isNull(buffers, k);
      const from = isNull ? 0 : offset(k);
      const size = isNull ? 0 : sizeOf(k);
      if (from < 0 || size < 0 || from + size > items)
        throw new DamagedColumn(
          describePosition(this.#node, piece, k),
          `expected a list within values 0 to ${items}, found ${size} values from ${from}`,
        );
      yield nestedPiece(children[0] ?? null, from, from + size);
    }
  }

  *#runs(
    piece: CopiedPiece,
    { children }: CopiedBuffers,
  ): Generator<CopiedPiece> {
    const [ends, values] = children as [CopiedBuffers, CopiedBuffers];
    const width = (this.#node.children[0]?.bits ?? 0) / 8;
    const end = integers(this.#offsets, width, ends.values, ends.length);
    let run = countWhile(ends.length, (k) => end(k) <= piece.from);
    for (let at = piece.from; at < piece.to; run++) {
      const next = run < ends.length ? Math.min(end(run), piece.to) : at;
      if (next <= at || run >= values.length)
        throw new DamagedColumn(
          describePosition(this.#node, piece, at),
          `expected ascending run ends with a value each, found ${ends.length} run ends and ${values.length} values, and no run for this value`,
        );
      yield nestedPiece(values, run, run + 1, next - at);
      at = next;
    }
  }

  *#codes(piece: CopiedPiece, buffers: CopiedBuffers): Generator<CopiedPiece> {
    const { bits, signed } = this.#node;
    const { children: parts, values, length } = buffers;
    const codeAt = integers(this.#offsets, bits / 8, values, length, signed);
    const lastPart = parts.at(-1);
    const count = lastPart ? lastPart.firstCode + lastPart.length : 0;
    for (let k = piece.from; k < piece.to; k++) {
      if (this.isNull(buffers, k)) {
        yield nestedPiece(null, 0, 1);
        continue;
      }
      const code = codeAt(k);
      checkCode(code, count, () => describePosition(this.#node, piece, k));
      const partAt = (n: number) => parts[n] as CopiedBuffers;
      const n = countWhile(parts.length, (k) => partAt(k).firstCode <= code);
      const part = partAt(n - 1);
      const at = code - part.firstCode;
      yield nestedPiece(part, at, at + 1);
    }
  }
}

/** Returns a function that reads integer k of a buffer of `count` integers. */
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

/** Node of the output and its pieces in order; each call of `pieces` reads them again. */
interface OutputNode {
  node: CopiedNode;
  pieces: () => Iterable<CopiedPiece>;
}

/** Returns the nodes of a column in the order of the output's field nodes. Iterating their pieces may throw DamagedColumn. */
export function outputNodes(
  node: CopiedNode,
  pieces: () => Iterable<CopiedPiece>,
  read: Read,
): OutputNode[] {
  const below = (child: CopiedNode, k: number) =>
    outputNodes(
      child,
      () => merged(node, childPieces(node, k, pieces(), read)),
      read,
    );
  if (node.form === "codes" || node.form === "runs") {
    const last = node.children.length - 1;
    return below(node.children[last] as CopiedNode, last);
  }
  return [{ node, pieces }, ...node.children.flatMap(below)];
}

/** Limit of pieces: overlapping list views in a small file can describe so many values that reading them would take days. */
const MAX_PIECES = 2 ** 26;

/** Merges adjacent pieces, and counts equal ones as repeats. */
function* merged(
  { name }: CopiedNode,
  pieces: Iterable<CopiedPiece>,
): Generator<CopiedPiece> {
  let last: CopiedPiece | null = null;
  let count = 0;
  for (const piece of pieces) {
    if (++count > MAX_PIECES)
      throw new DamagedColumn(
        `column ${name}`,
        `expected at most ${MAX_PIECES} lists, runs or codes in a record batch of the output, found more; join this column by row`,
      );
    if (piece.from === piece.to) continue;
    const previous: CopiedPiece | null =
      last?.buffers === piece.buffers ? last : null;
    const isSingle = previous?.repeat === 1 && piece.repeat === 1;
    if (previous?.from === piece.from && previous.to === piece.to)
      previous.repeat += piece.repeat;
    else if (isSingle && previous.to === piece.from) previous.to = piece.to;
    else {
      if (last) yield last;
      last = piece;
    }
  }
  if (last) yield last;
}

function* childPieces(
  node: CopiedNode,
  k: number,
  pieces: Iterable<CopiedPiece>,
  read: Read,
): Generator<CopiedPiece> {
  const { form } = node;
  const reader = new NodeReader(node, read);
  const size = form === "fixed-size-list" ? node.listSize : 1;
  for (const piece of pieces) {
    const { buffers, from, to, repeat } = piece;
    const below = buffers?.children[k] ?? null;
    if (!buffers && (form === "list" || form === "list-view")) continue;
    if (!buffers || form === "struct" || form === "fixed-size-list")
      yield nestedPiece(below, from * size, to * size, repeat);
    else if (form === "list")
      yield nestedPiece(below, ...reader.ends(piece, buffers), repeat);
    else for (let n = 0; n < repeat; n++) yield* reader.values(piece, buffers);
  }
}
