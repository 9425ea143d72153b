import { constants, openSync, readSync } from "node:fs";
import { writeFully } from "./positional.js";

/** A file that is written, or that is compared with what would be written. */
export interface WriteTarget {
  fd: number;
  compare: boolean;
  /** Where bytes leave in order: memory that has a part of the file, position p of it at p modulo its length. */
  ring?: SharedArrayBuffer | null;
}

/** A file has another byte than the one that belongs there. */
export class DifferentByte extends Error {
  constructor(
    /** Byte of the file. */
    readonly position: number,
    readonly expected: number,
    /** null: the file has ended. */
    readonly found: number | null,
  ) {
    super(
      `byte ${position}: expected ${expected}, found ${found ?? "the end"}`,
    );
  }
}

/** Read at once when comparing. */
const COMPARE_BYTES = 1 << 20;

/** Writes all of `source` at `position`, or makes sure that it stands there. @throws DifferentByte */
export function writeOrCompare(
  { fd, compare, ring }: WriteTarget,
  source: Uint8Array,
  position: number,
): void {
  if (ring) writeToRing(new Uint8Array(ring), source, position);
  else if (compare) compareBytes(fd, source, position);
  else writeFully(fd, source, position);
}

function writeToRing(
  ring: Uint8Array,
  source: Uint8Array,
  position: number,
): void {
  const at = position % ring.byteLength;
  const first = Math.min(source.byteLength, ring.byteLength - at);
  ring.set(source.subarray(0, first), at);
  ring.set(source.subarray(first), 0);
}

function compareBytes(fd: number, source: Uint8Array, position: number): void {
  const found = Buffer.allocUnsafe(Math.min(source.byteLength, COMPARE_BYTES));
  for (let done = 0; done < source.byteLength; ) {
    const want = Math.min(found.byteLength, source.byteLength - done);
    const read = readSync(fd, found, 0, want, position + done);
    const length = Math.max(read, 1);
    const expected = source.subarray(done, done + length);
    if (read === 0 || !found.subarray(0, read).equals(expected)) {
      const at = expected.findIndex(
        (byte, k) => read === 0 || byte !== found[k],
      );
      throw new DifferentByte(
        position + done + at,
        expected[at] as number,
        read === 0 ? null : (found[at] as number),
      );
    }
    done += read;
  }
}

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
export interface DirectTarget extends WriteTarget {
  direct: number;
}

/** Under this the page cache is quicker. */
const MIN_BYTES = 64 << 10;

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
    writeOrCompare({ fd: to, compare, ring }, source, position + from);
  };
  if (direct < 0 || bytes < MIN_BYTES || padBefore(address, position) > 0) {
    write(fd, 0, bytes);
    return;
  }
  const first = padBefore(position, 0);
  const last = bytes - ((position + bytes) % DIRECT_BYTES);
  try {
    write(direct, first, last);
  } catch (error) {
    if (!isDirectWriteRejected(error)) throw error;
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
export function isDirectWriteRejected(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "EINVAL";
}
