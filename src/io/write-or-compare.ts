import { constants, openSync, readSync } from "node:fs";
import { writeFully } from "./positional.js";

/** A file to write, or to compare with the bytes that would be written. */
export interface WriteTarget {
  fd: number;
  compare: boolean;
  /** Memory that takes the bytes instead of the file. */
  memory?: SharedArrayBuffer | null;
}

/** A byte of the compared file differs from the expected one. */
export class DifferentByte extends Error {
  constructor(
    readonly position: number,
    readonly expected: number,
    /** Byte of the file, or null after its end. */
    readonly found: number | null,
  ) {
    super(
      `byte ${position}: expected ${expected}, found ${found ?? "the end"}`,
    );
  }
}

/** Bytes read at once for a comparison. */
const COMPARE_BYTES = 1 << 20;

/** Writes `source` at `position`, or compares it with the bytes there. @throws DifferentByte */
export function writeOrCompare(
  { fd, compare, memory }: WriteTarget,
  source: Uint8Array,
  position: number,
): void {
  if (memory) new Uint8Array(memory).set(source, position);
  else if (compare) compareBytes(fd, source, position);
  else writeFully(fd, source, position);
}

function compareBytes(fd: number, source: Uint8Array, position: number): void {
  const actual = Buffer.allocUnsafe(Math.min(source.byteLength, COMPARE_BYTES));
  for (let done = 0; done < source.byteLength; ) {
    const wanted = Math.min(actual.byteLength, source.byteLength - done);
    const read = readSync(fd, actual, 0, wanted, position + done);
    const length = Math.max(read, 1);
    const expected = source.subarray(done, done + length);
    if (read === 0 || !actual.subarray(0, read).equals(expected)) {
      const index = expected.findIndex(
        (byte, k) => read === 0 || byte !== actual[k],
      );
      throw new DifferentByte(
        position + done + index,
        expected[index] as number,
        read === 0 ? null : (actual[index] as number),
      );
    }
    done += read;
  }
}

// Writing past the page cache (O_DIRECT) starts disk writes at once and takes no memory. Through the page cache, syncing some
// GB was measured at a quarter of the disk's speed.

/** Alignment of lengths, addresses and file offsets of direct writes; no disk needs more. */
export const DIRECT_BYTES = 4096;

/** Opens an existing file for writes past the page cache. Returns -1 if the system or file system does not support them. */
export function openDirect(path: string): number {
  if (constants.O_DIRECT === undefined) return -1;
  try {
    return openSync(path, constants.O_WRONLY | constants.O_DIRECT);
  } catch {
    return -1;
  }
}

/** A file to write, through the page cache and past it. */
export interface DirectTarget extends WriteTarget {
  /** Descriptor for writes past the page cache, or -1. */
  direct: number;
}

/** Below this size, writes through the page cache are faster. */
const MIN_BYTES = 64 << 10;

/**
 * Writes `bytes` from `address` of a page-aligned buffer. If `address` and `position` are equal modulo the page size (see
 * padBefore), whole pages go past the page cache and the rest at both ends through it.
 */
export function writePages(
  { fd, compare, direct, memory = null }: DirectTarget,
  buffer: ArrayBufferLike,
  address: number,
  bytes: number,
  position: number,
): void {
  const write = (to: number, from: number, end: number) => {
    const source = new Uint8Array(buffer, address + from, end - from);
    writeOrCompare({ fd: to, compare, memory }, source, position + from);
  };
  const isPaged = padBefore(address, position) === 0;
  if (memory || direct < 0 || bytes < MIN_BYTES || !isPaged) {
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

/** Returns the padding that makes `address` and `position` equal modulo the page size. */
export function padBefore(address: number, position: number): number {
  return (((position - address) % DIRECT_BYTES) + DIRECT_BYTES) % DIRECT_BYTES;
}

/** Whether the system rejected a write only because it was direct: it can be repeated through the page cache. */
export function isDirectWriteRejected(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "EINVAL";
}
