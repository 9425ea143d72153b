import { InputFormatError } from "../../errors.js";
import type { ArrowContainer } from "../arrow-container.js";
import type { MessageMetadata } from "../arrow-metadata.js";
import { readInput } from "../read-input.js";
import type { Body } from "./bodies.js";
import type { NeededBuffer } from "./column-buffers.js";
import type { DecompressTask } from "./protocol.js";

/** Buffers are padded to so many bytes by most writers, before they are compressed too. */
export const PADDING = 64;

export function padded(bytes: number): number {
  return Math.ceil(bytes / PADDING) * PADDING;
}

/** How a buffer is decoded, once what it says of itself is what its type demands; null: it has no bytes. */
export function taskOf(
  container: ArrowContainer,
  targetFd: number,
  { message, bodyStart, placed }: Body,
  needed: NeededBuffer,
  where: string,
): DecompressTask | null {
  const { path } = container;
  const { buffers, compression } = message.batch as NonNullable<
    MessageMetadata["batch"]
  >;
  const { offset, length } = buffers[needed.place] as (typeof buffers)[number];
  const fail = (text: string): never => {
    throw new InputFormatError(path, where, text);
  };
  const known = needed.offsets
    ? lastOffset(path, targetFd, needed.offsets, placed)
    : needed.bytes;
  if (known === 0 || (known === null && length === 0)) return null;
  if (known !== null && known < 0)
    fail(`expected a last offset of 0 or more, found ${known}`);
  if (![null, "LZ4_FRAME", "ZSTD"].includes(compression))
    fail("only LZ4_FRAME and ZSTD compression are supported");
  const start = bodyStart + offset;
  const declared =
    compression === null ? -1 : lengthInFront(container, start, length, where);
  const [position, bytes] =
    compression === null ? [start, length] : [start + 8, length - 8];
  const demanded = known ?? (declared === -1 ? bytes : declared);
  if (declared === -1) {
    if (bytes < demanded)
      fail(`expected a buffer of at least ${demanded} bytes, found ${bytes}`);
    return {
      position,
      bytes: demanded,
      codec: null,
      target: 0,
      decodedBytes: demanded,
    };
  }
  if (declared < Math.max(demanded, 0) || declared > padded(demanded))
    fail(
      `expected a decompressed length of ${demanded} bytes, found ${declared}`,
    );
  return {
    position,
    bytes,
    codec: compression as "LZ4_FRAME" | "ZSTD",
    target: 0,
    decodedBytes: declared,
  };
}

/** What a compressed buffer says of its length before; -1: it is stored as it was. */
function lengthInFront(
  container: ArrowContainer,
  position: number,
  length: number,
  where: string,
): number {
  if (length < 8)
    throw new InputFormatError(
      container.path,
      where,
      `expected at least 8 bytes of compressed data, found ${length}`,
    );
  const prefix = new BigInt64Array(1);
  readInput(container, new Uint8Array(prefix.buffer), position);
  return Number(prefix[0]);
}

/** The end of a text column's last value, of offsets that are decoded. */
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
