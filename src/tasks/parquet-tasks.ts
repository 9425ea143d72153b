import type { Failure } from "./failure.js";
import type { RowGroup } from "./parquet-metadata.js";

// Messages between the main thread and the thread that decodes a Parquet file. Bulk data goes from file to file.

/** Sent once, when the thread starts; the main thread owns the file descriptors. */
export interface ParquetSetup {
  fd: number;
  /** Replacement for the end of the file: a footer with only the columns and row groups to decode, its length, the magic. */
  tail: Uint8Array;
  /** Position of the file's own footer, which the tail replaces. */
  tailStart: number;
  /** Column chunks to decode, by row group. */
  rowGroups: Pick<RowGroup, "rows" | "chunks">[];
  /** Descriptor of the file for the Arrow stream. */
  target: number;
  /** The decoder, if an earlier thread has compiled it. */
  decoder: WebAssembly.Module | null;
}

export type ParquetReply =
  /** The decoder for later threads, from the thread that compiled it; the first message. */
  | { kind: "decoder"; decoder: WebAssembly.Module }
  /** The stream is complete; like the message below, the last one. */
  | { kind: "done"; bytes: number }
  /** A decoder that could not be loaded is a failure of the output. */
  | { kind: "failed"; failure: Failure };
