import { constants, openSync } from "node:fs";
import { type PutTarget, putBytes } from "./put-bytes.js";

// Writing past the page cache (O_DIRECT): what is written is on its way to the disk at once, and costs no memory. Through
// the page cache a sync of some GB has been measured at a quarter of the disk's speed.

/** Bytes, addresses and file offsets must be multiples of it; no disk asks for more. */
export const DIRECT_BYTES = 4096;

/** A descriptor of an existing file for writes past the page cache; -1 where the system or file system has none. */
export function openDirect(path: string): number {
  if (constants.O_DIRECT === undefined) return -1;
  try {
    return openSync(path, constants.O_WRONLY | constants.O_DIRECT);
  } catch {
    return -1;
  }
}

/** A file as it is written: through the page cache, and (-1: not) past it. */
export interface DirectTarget extends PutTarget {
  direct: number;
}

/** Under this the page cache is quicker. */
const LEAST_BYTES = 64 << 10;

/**
 * Writes `bytes` at `address` of a buffer that itself starts on a page: whole pages past the page cache, where they are
 * pages of the buffer as well (see padBefore), and what is left at the ends through it.
 */
export function writePages(
  { fd, compare, direct, ring = null }: DirectTarget,
  buffer: ArrayBufferLike,
  address: number,
  bytes: number,
  position: number,
): void {
  const write = (to: number, from: number, end: number) => {
    const source = new Uint8Array(buffer, address + from, end - from);
    putBytes({ fd: to, compare, ring }, source, position + from);
  };
  if (direct < 0 || bytes < LEAST_BYTES || padBefore(address, position) > 0) {
    write(fd, 0, bytes);
    return;
  }
  const first = padBefore(position, 0);
  const last = bytes - ((position + bytes) % DIRECT_BYTES);
  try {
    write(direct, first, last);
  } catch (error) {
    if (!isRefused(error)) throw error;
    write(fd, first, last);
  }
  if (first > 0) write(fd, 0, first);
  if (last < bytes) write(fd, last, bytes);
}

/** Bytes to leave before something at `address` so that it stands in its page as `position` does in a file's. */
export function padBefore(address: number, position: number): number {
  return (((position - address) % DIRECT_BYTES) + DIRECT_BYTES) % DIRECT_BYTES;
}

/** Whether a direct write was refused for how it was asked for: the same write through the page cache will do. */
export function isRefused(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "EINVAL";
}
