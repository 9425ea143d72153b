// Messages between the main thread and the threads that decompress. Bulk data goes from file to file.

import type { Failure } from "./failure.js";

/** File descriptors, sent once when a thread starts; the main thread owns them. */
export interface DecompressSetup {
  source: number;
  /** Anonymous file for decoded bytes. */
  target: number;
}

/** One buffer of a message's body. */
export interface DecompressTask {
  /** Position in messages. */
  where: string;
  /** Position and size in the input. */
  position: number;
  bytes: number;
  /** null: the buffer is not compressed, only copied. */
  codec: "LZ4_FRAME" | "ZSTD" | null;
  /** Position and exact size in the target. */
  target: number;
  decodedBytes: number;
}

export type DecompressReply = { ok: true } | { ok: false; failure: Failure };
