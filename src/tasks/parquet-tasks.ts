import type { Failure } from "./failure.js";
import type { RowGroup } from "./parquet-metadata.js";

// Messages between the main thread and the threads that decode a Parquet file. Bulk data goes from file to file.

/** Work of a thread; the main thread owns the file descriptors. */
export interface ParquetSetup {
  fd: number;
  /** Replacement for the end of the file: a footer with only the columns and row groups to decode, its length, the magic. */
  tail: Uint8Array;
  /** Position of the file's own footer, which the tail replaces. */
  tailStart: number;
  /** Column chunks to decode, by row group. */
  rowGroups: Pick<RowGroup, "rows" | "chunks">[];
  /** Descriptor of the file for the Arrow stream, to which each thread appends its record batches. */
  target: number;
  /** What the threads share: the next row group, and the size of the stream. */
  shared: BigInt64Array<SharedArrayBuffer>;
  /** The decoder, if an earlier thread has compiled it. */
  decoder: WebAssembly.Module | null;
}

export type ParquetReply =
  /** The decoder for later threads, from the thread that compiled it; the first message. */
  | { kind: "decoder"; decoder: WebAssembly.Module }
  /** No row group is left; like the message below, the last one of a thread. */
  | { kind: "done"; batches: DecodedBatch[] }
  /** Nothing could be decoded from this row group on. A decoder that could not be loaded is a failure of the output. */
  | { kind: "failed"; rowGroup: number; failure: Failure };

/** Record batch of the stream: its row group, and the byte offset of its message. */
export interface DecodedBatch {
  rowGroup: number;
  offset: number;
}

/** Indices of what the threads share. */
export const NEXT_GROUP = 0;
export const STREAM_BYTES = 1;
