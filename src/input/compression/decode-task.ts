import {
  bufferBytes,
  buffersOf,
  offsetBytes,
  storedType,
} from "../../arrow/field.js";
import { InputFormatError } from "../../errors.js";
import type { DecompressTask } from "../../tasks/decompress-tasks.js";
import type { BatchMetadata } from "../arrow-metadata.js";
import { readInput } from "../read-input.js";
import type { ColumnSpan, RecordBatch } from "../record-batch.js";
import type { ArrowContainer } from "../record-batches.js";

/** Buffer that a run may read. */
export interface NeededBuffer {
  /** Index of the buffer in the batch. */
  index: number;
  column: string;
  /**
   * Size in bytes that the type and the number of values imply. Null if the last of its `offsets` states the size, or without
   * offsets (the data of views) only the buffer itself.
   */
  bytes: number | null;
  offsets: { index: number; width: number; count: number } | null;
}

/** Returns the buffers of a column, its children and the structs around it. */
export function neededBuffers(
  batch: BatchMetadata,
  span: ColumnSpan,
): NeededBuffer[] {
  const { field, node, parents, children } = span;
  const { length, nullCount } = batch.nodes[node] as BatchMetadata["nodes"][0];
  const type = storedType(field);
  const layouts = buffersOf(type);
  const width = offsetBytes(type);
  const count = length === 0 ? 0 : length + 1;
  const buffers = Array.from({ length: span.buffers }, (_, k): NeededBuffer => {
    const index = span.buffer + k;
    const layout = layouts[k];
    const isKnown = layout !== undefined && layout.bits > 0;
    return {
      index,
      column: field.name,
      bytes: isKnown ? bufferBytes(layout, { length, nullCount }) : null,
      offsets: layout && !isKnown ? { index: index - 1, width, count } : null,
    };
  });
  const inner = children.flatMap((child) => neededBuffers(batch, child));
  // Structs around a nested column have validity bitmaps.
  const outer = parents.flatMap((parent) =>
    neededBuffers(batch, { ...parent, children: [] }),
  );
  return [...outer, ...buffers, ...inner];
}

/** Alignment in bytes to which most writers pad buffers, also before compression. */
export const PADDING = 64;

export function padded(bytes: number): number {
  return Math.ceil(bytes / PADDING) * PADDING;
}

/**
 * Returns the task that decodes a buffer; null for an empty buffer. Its declared length must match its type.
 * @param targetFd file with the offsets that were decoded already
 * @throws InputFormatError
 */
export function decompressTask(
  container: ArrowContainer,
  targetFd: number,
  { batch, context, decoded }: Body,
  { index, bytes, offsets }: NeededBuffer,
  where: string,
): DecompressTask | null {
  const { buffers, compression } = batch;
  const { offset, length } = buffers[index] as BatchMetadata["buffers"][number];
  const fail = (text: string): never => {
    throw new InputFormatError(container.path, where, text);
  };
  const expected = offsets
    ? lastOffset(container.path, targetFd, offsets, decoded)
    : bytes;
  if (expected === 0 || (expected === null && length === 0)) return null;
  if (expected !== null && expected < 0)
    fail(`expected a last offset of 0 or more, found ${expected}`);
  if (![null, "LZ4_FRAME", "ZSTD"].includes(compression))
    fail("only LZ4_FRAME and ZSTD compression are supported");
  const start = context.bodyStart + offset;
  // A compressed buffer starts with an int64: its decoded length, or -1 if it is stored uncompressed.
  let declared = -1;
  const prefix = compression === null ? 0 : 8;
  if (prefix > 0) {
    if (length < prefix)
      fail(`expected at least 8 bytes of compressed data, found ${length}`);
    const header = new BigInt64Array(1);
    readInput(container, new Uint8Array(header.buffer), start);
    declared = Number(header[0]);
  }
  const stored = {
    where,
    position: start + prefix,
    bytes: length - prefix,
    target: 0,
  };
  const required = expected ?? (declared === -1 ? stored.bytes : declared);
  if (declared === -1) {
    if (stored.bytes < required)
      fail(
        `expected a buffer of at least ${required} bytes, found ${stored.bytes}`,
      );
    return { ...stored, bytes: required, codec: null, decodedBytes: required };
  }
  if (declared < Math.max(required, 0) || declared > padded(required))
    fail(
      `expected a decompressed length of ${required} bytes, found ${declared}`,
    );
  const codec = compression as "LZ4_FRAME" | "ZSTD";
  return { ...stored, codec, decodedBytes: declared };
}

/** Returns the last offset of a text column, which is the size of its values. */
function lastOffset(
  path: string,
  fd: number,
  { index, width, count }: NonNullable<NeededBuffer["offsets"]>,
  decoded: Body["decoded"],
): number {
  if (count === 0) return 0;
  const at = decoded.get(index)?.offset ?? 0;
  const bytes = new DataView(new ArrayBuffer(8));
  const last = new Uint8Array(bytes.buffer, 0, width);
  readInput({ path, fd, present: null }, last, at + (count - 1) * width);
  return width === 4
    ? bytes.getInt32(0, true)
    : Number(bytes.getBigInt64(0, true));
}

/** Batch, and the location of its decoded buffers. */
export interface Body extends RecordBatch {
  needed: NeededBuffer[];
  /** Byte range of its decoded buffers in the target file. */
  start: number;
  end: number;
  /** Location of each decoded buffer in the target file, by index in the batch. */
  decoded: Map<number, { offset: number; length: number }>;
}
