import {
  DamagedColumn,
  type KeptNode,
  type KeptPiece,
  nestedPiece,
} from "./kept-nodes.js";
import { NodeReader } from "./node-reader.js";
import type { Read } from "./read-window.js";

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
