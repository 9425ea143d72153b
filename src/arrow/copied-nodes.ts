import type { Field } from "./field.js";
import type { Read } from "./read-window.js";
import type { DataBuffer } from "./views.js";

// A copied column is a tree of nodes, as its type is. What is copied of a node is a sequence of pieces, each a range of its
// values in one record batch; the pieces of its children follow from its offsets, which are read and checked on the way.

/** Node of a copied column: the column, or a type nested in it. */
export interface CopiedNode {
  /** Name for messages, such as `choices` or `choices.item`. */
  name: string;
  /** Field of the output, without views, runs and nested dictionaries. */
  field: Field;
  form: CopiedForm;
  /** Descriptor of a temporary file that has a column of fixed width; null: the input has it. */
  fd: number | null;
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
  children: CopiedNode[];
  /** Rows of one value in memory, which are repeated; null for a column of the file. */
  constant: { memory: Uint8Array<ArrayBuffer>; buffers: CopiedBuffers } | null;
}

/** Storage in the input. `runs` (run-end encoded) and `codes` (a dictionary) are replaced by their values in the output. */
export type CopiedForm =
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
export interface CopiedBuffers {
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
  children: CopiedBuffers[];
  /** Code of the first value of a part of a dictionary, else 0. */
  firstCode: number;
}

/** Values `[from, to)` of a node in one record batch, as often as `repeat`. */
export interface CopiedPiece {
  /** null: these values are null. */
  buffers: CopiedBuffers | null;
  from: number;
  to: number;
  repeat: number;
  /** Row of the whole file that `from` is, in a column that is not nested; else null. */
  row: number | null;
}

/** Bytes of a node of a copied column in some rows of the output; null for a buffer that its type does not have. */
export interface CopiedShape {
  rows: number;
  /** 0 if the input's batches have no nulls. */
  validity: number | null;
  offsets: number | null;
  values: number | null;
  /** Bytes of text, or values of lists, that offsets reach. */
  items: number;
}

/** Dictionary batch of a copied column: its metadata and the position of its body in the file. */
export interface CopiedDictionary {
  id: number;
  isDelta: boolean;
  batch: {
    rows: number;
    nodes: { length: number; nullCount: number }[];
    buffers: { offset: number; length: number }[];
  };
  bodyStart: number;
  bodyBytes: number;
  /** The body, if it is not in the file: values that were views. */
  body: Uint8Array | null;
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
  { name }: CopiedNode,
  { row, from }: CopiedPiece,
  k: number,
  last = k,
): string {
  const what = row === null ? "value" : "row";
  const first = (row ?? from) - from;
  return last > k
    ? `column ${name}, ${what}s ${first + k} to ${first + last}`
    : `column ${name}, ${what} ${first + k}`;
}

/** Returns a piece of a nested node. */
export function nestedPiece(
  buffers: CopiedBuffers | null,
  from: number,
  to: number,
  repeat = 1,
): CopiedPiece {
  return { buffers, from, to, repeat, row: null };
}

/** Returns how the bytes of a node are read: from memory for a constant. */
export function readerOf({ constant }: CopiedNode, read: Read): Read {
  if (!constant) return read;
  return (position, bytes) =>
    constant.memory.subarray(position, position + bytes);
}

/** Number of items that offsets may reach: bytes of text, or values of the child. */
export function itemsOf({ form }: CopiedNode, buffers: CopiedBuffers): number {
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
