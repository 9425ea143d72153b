import type { Field } from "./field.js";
import type { Read } from "./read-window.js";
import type { DataBuffer } from "./views.js";

// A copied column is a tree of nodes, like its type. The copied values of a node are a sequence of pieces, each a range of
// values in one record batch. The pieces of child nodes follow from its offsets, which are checked when they are read.

/** Node of a copied column: the column itself, or a child type. */
export interface CopiedNode {
  /** Name for messages, such as `choices` or `choices.item`. */
  name: string;
  /** Field of the output, without views, runs and nested dictionaries. */
  field: Field;
  form: CopiedForm;
  /** Descriptor of the temporary file that holds a fixed-width column; null if the input holds it. */
  fd: number | null;
  /** Bits per value of a fixed width (1 = bool), else 0. */
  bits: number;
  /** Whether these values are signed integers. */
  signed: boolean;
  /** Bytes per offset of the output, else 0. */
  offsetBytes: 0 | 4 | 8;
  /** Values per fixed-size list, else 0. */
  listSize: number;
  /** Number of values in the dictionary, which bounds the copied indices; null for other columns. */
  dictionaryValues: number | null;
  /** Child nodes; for runs the run ends, then the values. */
  children: CopiedNode[];
  /** Rows in memory with one value, repeated for all rows; null for a column of the file. */
  constant: { memory: Uint8Array<ArrayBuffer>; buffers: CopiedBuffers } | null;
}

/** Storage in the input. The output has the values of `runs` (run-end encoded) and `codes` (dictionary-encoded). */
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
  /** Bytes of the values; for views an upper bound, if no two views share bytes. */
  valuesBytes: number;
  /** Data buffers of views; null if the node has no views. */
  data: DataBuffer[] | null;
  /** Buffers of the child nodes; for codes those of each dictionary batch. */
  children: CopiedBuffers[];
  /** Code of the first value, in a dictionary batch; else 0. */
  firstCode: number;
}

/** Values `[from, to)` of a node in one record batch, copied `repeat` times. */
export interface CopiedPiece {
  /** Buffers of the values; null if all values are null. */
  buffers: CopiedBuffers | null;
  from: number;
  to: number;
  repeat: number;
  /** Row of the file at `from`; null for nested values. */
  row: number | null;
}

/** Buffer sizes, in bytes, of a node in a range of output rows; null for a buffer that its type does not have. */
export interface CopiedShape {
  rows: number;
  /** Bytes of the validity bitmap; 0 if the input's batches have no nulls. */
  validity: number | null;
  offsets: number | null;
  values: number | null;
  /** Number of bytes of text, or of values of lists, that the offsets cover. */
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
  /** Body of a dictionary whose views were converted; null if the file holds the body. */
  body: Uint8Array | null;
}

/** Error for a copied column with invalid offsets, indices or text. */
export class DamagedColumn extends Error {
  constructor(
    readonly where: string,
    message: string,
  ) {
    super(message);
  }
}

/** Returns the position of value k, or of values k to `last`, for messages. */
export function describePosition(
  { name }: CopiedNode,
  { row, from }: CopiedPiece,
  k: number,
  last = k,
): string {
  const item = row === null ? "value" : "row";
  const first = (row ?? from) - from;
  return last > k
    ? `column ${name}, ${item}s ${first + k} to ${first + last}`
    : `column ${name}, ${item} ${first + k}`;
}

export function nestedPiece(
  buffers: CopiedBuffers | null,
  from: number,
  to: number,
  repeat = 1,
): CopiedPiece {
  return { buffers, from, to, repeat, row: null };
}

/** Returns a reader of a node's bytes, which are in memory for a constant. */
export function readerOf({ constant }: CopiedNode, read: Read): Read {
  if (!constant) return read;
  return (position, bytes) =>
    constant.memory.subarray(position, position + bytes);
}

/** Returns the number of items that offsets may address: bytes of text, or values of the child. */
export function itemsOf({ form }: CopiedNode, buffers: CopiedBuffers): number {
  return form === "text"
    ? buffers.valuesBytes
    : (buffers.children[0]?.length ?? 0);
}

/** Rejects an index outside the dictionary. @throws DamagedColumn */
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
