import type { Failure } from "./failure.js";
import type { ColumnChunk } from "./parquet-metadata.js";

// Messages between the main thread and the threads that decode a Parquet file. Bulk data goes from file to file.

/**
 * Work of a thread, which is divided into units: the schema of each column, then the columns of each row group. The main thread
 * owns the file descriptors.
 */
export interface ParquetSetup {
  fd: number;
  /** Position of the file's own footer. */
  tailStart: number;
  /** By column, a replacement for the end of the file: a footer with only this column, its length, the magic. */
  tails: readonly Uint8Array[];
  rowGroups: readonly ColumnGroup[];
  /** Descriptor of the file of Arrow messages, to which each thread appends. */
  target: number;
  /** Shared memory of the threads: the number of the next unit, and the size of the target in bytes. */
  shared: BigInt64Array<SharedArrayBuffer>;
  decoder: WebAssembly.Module;
}

/** Row group of the columns to decode. */
export interface ColumnGroup {
  rows: number;
  /** Chunks of the leaves, by column. */
  columns: readonly (readonly ColumnChunk[])[];
}

export type ParquetReply =
  /** No unit is left. */
  | { kind: "done"; messages: DecodedMessage[] }
  /** Nothing could be decoded from this unit on. A decoder that could not be loaded is a failure of the output. */
  | { kind: "failed"; unit: number; failure: Failure };

/** Arrow message in the target: the schema of a column, or a record batch of a column in a row group. */
export interface DecodedMessage {
  unit: number;
  /** Byte offset of the message. */
  offset: number;
}

/** Indices into `shared`. */
export const NEXT_UNIT = 0;
export const TARGET_BYTES = 1;
