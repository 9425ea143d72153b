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

/** A buffer that a run may read. */
export interface NeededBuffer {
  /** Its index among the batch's. */
  place: number;
  column: string;
  /**
   * Bytes that the type and the number of values demand; null: the last of its `offsets` states them, or without offsets
   * (the data of views) only the buffer itself.
   */
  bytes: number | null;
  offsets: { place: number; width: number; count: number } | null;
}

/** Returns the buffers of a column and of all that is nested in it. */
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
  const own = Array.from({ length: span.buffers }, (_, k): NeededBuffer => {
    const place = span.buffer + k;
    const layout = layouts[k];
    const isKnown = layout !== undefined && layout.bits > 0;
    return {
      place,
      column: field.name,
      bytes: isKnown ? bufferBytes(layout, { length, nullCount }) : null,
      offsets: layout && !isKnown ? { place: place - 1, width, count } : null,
    };
  });
  // Structs around a nested column have validity bitmaps.
  const outer = parents.map((parent) => ({ ...parent, children: [] }));
  const neededOf = (other: ColumnSpan) => neededBuffers(batch, other);
  return [...outer.flatMap(neededOf), ...own, ...children.flatMap(neededOf)];
}

/** Most writers pad buffers to so many bytes, also before they compress them. */
export const PADDING = 64;

export function padded(bytes: number): number {
  return Math.ceil(bytes / PADDING) * PADDING;
}

/**
 * Returns how a buffer is decoded, once the length that it declares is the one that its type demands; null: it has no bytes.
 * @param targetFd file with the decoded offsets
 * @throws InputFormatError
 */
export function taskOf(
  container: ArrowContainer,
  targetFd: number,
  { batch, context, placed }: Body,
  { place, bytes, offsets }: NeededBuffer,
  where: string,
): DecompressTask | null {
  const { buffers, compression } = batch;
  const { offset, length } = buffers[place] as BatchMetadata["buffers"][number];
  const fail = (text: string): never => {
    throw new InputFormatError(container.path, where, text);
  };
  const known = offsets
    ? lastOffset(container.path, targetFd, offsets, placed)
    : bytes;
  if (known === 0 || (known === null && length === 0)) return null;
  if (known !== null && known < 0)
    fail(`expected a last offset of 0 or more, found ${known}`);
  if (![null, "LZ4_FRAME", "ZSTD"].includes(compression))
    fail("only LZ4_FRAME and ZSTD compression are supported");
  const start = context.bodyStart + offset;
  // A compressed buffer starts with its decoded length; -1: it is stored uncompressed.
  let declared = -1;
  const prefix = compression === null ? 0 : 8;
  if (prefix > 0) {
    if (length < prefix)
      fail(`expected at least 8 bytes of compressed data, found ${length}`);
    const found = new BigInt64Array(1);
    readInput(container, new Uint8Array(found.buffer), start);
    declared = Number(found[0]);
  }
  const stored = {
    position: start + prefix,
    bytes: length - prefix,
    target: 0,
  };
  const demanded = known ?? (declared === -1 ? stored.bytes : declared);
  if (declared === -1) {
    if (stored.bytes < demanded)
      fail(
        `expected a buffer of at least ${demanded} bytes, found ${stored.bytes}`,
      );
    return { ...stored, bytes: demanded, codec: null, decodedBytes: demanded };
  }
  if (declared < Math.max(demanded, 0) || declared > padded(demanded))
    fail(
      `expected a decompressed length of ${demanded} bytes, found ${declared}`,
    );
  const codec = compression as "LZ4_FRAME" | "ZSTD";
  return { ...stored, codec, decodedBytes: declared };
}

/** Returns the end of a text column's last value. */
function lastOffset(
  path: string,
  fd: number,
  { place, width, count }: NonNullable<NeededBuffer["offsets"]>,
  placed: Body["placed"],
): number {
  if (count === 0) return 0;
  const at = placed.get(place)?.offset ?? 0;
  const bytes = new DataView(new ArrayBuffer(8));
  const last = new Uint8Array(bytes.buffer, 0, width);
  readInput({ path, fd, present: null }, last, at + (count - 1) * width);
  return width === 4
    ? bytes.getInt32(0, true)
    : Number(bytes.getBigInt64(0, true));
}

/** A batch, and where the needed buffers of its body go. */
export interface Body extends RecordBatch {
  needed: NeededBuffer[];
  /** Range of the target with its buffers, and the position of each; the others of the batch have no bytes. */
  start: number;
  end: number;
  placed: Map<number, { offset: number; length: number }>;
}
