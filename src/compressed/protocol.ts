// What the main thread and the threads that compress say to each other. Bulk stays in memory that they share.

import type { BufferPlace } from "../output/arrow-encode.js";

/** `--compress`, and what the format calls it. */
export const CODECS = { lz4: "LZ4_FRAME", zstd: "ZSTD" } as const;
export type Codec = keyof typeof CODECS;

/** Buffers of one record batch's body. */
export interface CompressTask {
  codec: Codec;
  source: SharedArrayBuffer;
  buffers: readonly BufferPlace[];
  /** Takes the compressed body: has room for it whatever the bytes are (see compressedBytes). */
  target: SharedArrayBuffer;
}

/** Where the buffers stand in the target. */
export interface CompressReply {
  buffers: BufferPlace[];
  bodyBytes: number;
}

/** What stands in front of a compressed buffer: its length before, or -1 for one that is stored as it was. */
export const PREFIX_BYTES = 8;

/** The most that a body takes once it is compressed: every buffer stored as it was. */
export function mostCompressedBytes(buffers: readonly BufferPlace[]): number {
  return buffers.reduce(
    (sum, { length }) => (length === 0 ? sum : sum + inBody(length)),
    0,
  );
}

/** What a buffer of so many bytes takes of a body: buffers start on 64 bytes, as the format recommends. */
export function inBody(bytes: number): number {
  return Math.ceil((PREFIX_BYTES + bytes) / 64) * 64;
}
