import { readSync, writeSync } from "node:fs";

/** Node refuses or cuts calls of 2 GiB and over. */
export const MAX_CALL_BYTES = 1 << 30;

/**
 * Fills `target` from byte `position` of the file, looping over short reads.
 * @throws ShortReadError where the file ends too early; Node's own errors as they are.
 */
export function readFully(
  fd: number,
  target: Uint8Array,
  position: number,
): void {
  checkPosition(position);
  let done = 0;
  while (done < target.byteLength) {
    const length = Math.min(target.byteLength - done, MAX_CALL_BYTES);
    const read = readSync(fd, target, done, length, position + done);
    if (read === 0) throw new ShortReadError(position, target.byteLength, done);
    done += read;
  }
}

/** Writes all of `source` at byte `position` of the file, looping over short writes. */
export function writeFully(
  fd: number,
  source: Uint8Array,
  position: number,
): void {
  checkPosition(position);
  let done = 0;
  while (done < source.byteLength) {
    const length = Math.min(source.byteLength - done, MAX_CALL_BYTES);
    const written = writeSync(fd, source, done, length, position + done);
    if (written === 0)
      throw new Error(
        `none of ${length} bytes could be written at byte ${position + done}`,
      );
    done += written;
  }
}

/** Node takes a position that is no whole number for "where the file's cursor is", and writes there without a word. */
export function checkPosition(position: number): void {
  if (!Number.isSafeInteger(position) || position < 0)
    throw new RangeError(`expected a byte position, found ${position}`);
}

/** The file ended inside a range that its own metadata promised. */
export class ShortReadError extends Error {
  readonly code = "ERR_SHORT_READ";
  constructor(position: number, expected: number, found: number) {
    super(
      `expected ${expected} bytes at byte ${position}, found ${found}: the file ends there (was it truncated while it was read?)`,
    );
  }
}
