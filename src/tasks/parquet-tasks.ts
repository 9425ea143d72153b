import type { SystemFailure } from "../io/system-error.js";
import type { RowGroup } from "./parquet-metadata.js";

// Messages between the main thread and the thread that decodes a Parquet file. Bulk goes from file to file.

/** Sent when the thread starts. File descriptors belong to the process: the thread uses them, the main thread owns them. */
export interface ParquetSetup {
  fd: number;
  /** End of the file as the decoder sees it: a footer of the columns and row groups to decode, its length and the magic. */
  tail: Uint8Array;
  /** Position of the file's own footer, which the tail replaces. */
  tailStart: number;
  /** Column chunks to decode, by row group. */
  rowGroups: Pick<RowGroup, "rows" | "chunks">[];
  /** Descriptor of the file for the Arrow stream. */
  target: number;
  /** The decoder as an earlier thread of the process has compiled it. */
  decoder: WebAssembly.Module | null;
}

export type ParquetReply =
  /** First, from the thread that has compiled it: the decoder, for the threads that follow. */
  | { kind: "decoder"; decoder: WebAssembly.Module }
  /** Last: the stream is complete. */
  | { kind: "done"; bytes: number }
  /** Instead: the problem. */
  | { kind: "damaged" | "unsupported"; where: string; text: string }
  /** Instead: the file could not be read, the stream not written, or the decoder not loaded. */
  | ({ kind: "failed"; task: "read" | "write" } & SystemFailure);
