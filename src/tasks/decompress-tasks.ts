// What the main thread and the threads that decompress say to each other. Bulk goes from file to file.

import type { SystemFailure } from "../io/system-error.js";

/** Sent once, when a thread starts; the main thread owns the descriptors. */
export interface DecompressSetup {
  /** The input, and the file without a name that takes what is decoded. */
  source: number;
  target: number;
}

/** One buffer of a message's body. */
export interface DecompressTask {
  /** Where it stands in the input, and how many bytes it has there. */
  position: number;
  bytes: number;
  /** null: it is plain, and only copied. */
  codec: "LZ4_FRAME" | "ZSTD" | null;
  /** Where it goes, and how many bytes it has then: no fewer and no more are written. */
  target: number;
  decodedBytes: number;
}

export type DecompressReply =
  | { ok: true }
  /** Damage: what was expected, and what was found. */
  | { ok: false; kind: "damaged"; text: string }
  | ({ ok: false; kind: "io"; side: "input" | "output" } & SystemFailure);
