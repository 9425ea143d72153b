import type { SystemFailure } from "../../system-error.js";
import type { ColumnChunk } from "./file-metadata.js";

// What the main thread and the thread that decodes a Parquet file say to each other. Bulk goes from file to file.

/** Sent when the thread starts. File descriptors belong to the process: the thread uses them, the main thread owns them. */
export interface ParquetSetup {
  fd: number;
  bytes: number;
  /** The footer as it is to be read, and where it starts in the file. */
  footer: Uint8Array;
  footerStart: number;
  /** Column chunks by row group, as far as they are known. */
  rowGroups: ColumnChunk[][];
  /** Where the Arrow stream goes, from its start on. */
  target: number;
  /** What few bytes say of how often a value comes again can be any number: the stream has no more bytes than these. */
  maxBytes: number;
  /** The decoder as an earlier thread of the process has compiled it. */
  decoder: WebAssembly.Module | null;
}

/** Sent once, when the schema is known. */
export interface ParquetRequest {
  /** Names of the top-level columns to decode. */
  columns: string[];
}

export type ParquetReply =
  /** Before all else, from the thread that has compiled it: the decoder, for the threads that follow. */
  | { kind: "decoder"; decoder: WebAssembly.Module }
  /** First: the schema as an Arrow stream without batches. */
  | { kind: "schema"; stream: Uint8Array }
  /** Last: the stream is complete. */
  | { kind: "done"; bytes: number }
  /** Instead: what was expected, and what was found. */
  | { kind: "damaged" | "unsupported"; where: string; text: string }
  /** Instead: the stream would have more bytes than it may have. */
  | { kind: "large"; bytes: number }
  /** Instead: the system could not read the file, keep the stream, or load the decoder. */
  | ({ kind: "failed"; task: "read" | "kept" } & SystemFailure);
