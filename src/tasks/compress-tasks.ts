// Messages between the main thread and the threads that compress. Bulk data stays in shared memory.

import type { BufferRange } from "../arrow/encode-messages.js";
import type { Codec } from "../results/catalogue.js";

/** Buffers of the body of one record batch. */
export interface CompressTask {
  codec: Codec;
  source: SharedArrayBuffer;
  buffers: readonly BufferRange[];
  /** Memory for the compressed body, of maxCompressedBytes. */
  target: SharedArrayBuffer;
}

/** Positions of the buffers in the target. */
export interface CompressReply {
  buffers: BufferRange[];
  bodyBytes: number;
}

/** A compressed buffer starts with its length before compression, or with -1 if it is stored uncompressed. */
export const PREFIX_BYTES = 8;

/** Returns the maximum size of a compressed body: every buffer stored uncompressed. */
export function maxCompressedBytes(buffers: readonly BufferRange[]): number {
  return buffers.reduce(
    (sum, { length }) => (length === 0 ? sum : sum + paddedBytes(length)),
    0,
  );
}

/** Returns the bytes of a buffer in a body, prefix included; buffers are aligned to 64 bytes, as the format recommends. */
export function paddedBytes(bytes: number): number {
  return Math.ceil((PREFIX_BYTES + bytes) / 64) * 64;
}
