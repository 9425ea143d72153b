import { read, readSync, write, writeSync } from "node:fs";

/** Node rejects or shortens calls of 2 GiB or more. */
const MAX_CALL_BYTES = 1 << 30;

/**
 * Fills `target` from byte `position` of the file, looping over short reads.
 * @throws ShortReadError if the file ends too early; Node's errors unchanged
 */
export function readFully(
  fd: number,
  target: Uint8Array,
  position: number,
): void {
  checkPosition(position);
  for (let done = 0; done < target.byteLength; ) {
    const length = Math.min(target.byteLength - done, MAX_CALL_BYTES);
    const bytesRead = readSync(fd, target, done, length, position + done);
    if (bytesRead === 0)
      throw new ShortReadError(position, target.byteLength, done);
    done += bytesRead;
  }
}

/** Asynchronous version of `readFully`. */
export async function readFullyAsync(
  fd: number,
  target: Uint8Array,
  position: number,
): Promise<void> {
  checkPosition(position);
  for (let done = 0; done < target.byteLength; ) {
    const length = Math.min(target.byteLength - done, MAX_CALL_BYTES);
    const bytesRead = await new Promise<number>((resolve, reject) =>
      read(fd, target, done, length, position + done, (error, bytes) =>
        error ? reject(error) : resolve(bytes),
      ),
    );
    if (bytesRead === 0)
      throw new ShortReadError(position, target.byteLength, done);
    done += bytesRead;
  }
}

/** Writes all of `source` at byte `position` of the file, looping over short writes. */
export function writeFully(
  fd: number,
  source: Uint8Array,
  position: number,
): void {
  checkPosition(position);
  for (let done = 0; done < source.byteLength; ) {
    const length = Math.min(source.byteLength - done, MAX_CALL_BYTES);
    const written = writeSync(fd, source, done, length, position + done);
    if (written === 0)
      throw new Error(
        `none of ${length} bytes could be written at byte ${position + done}`,
      );
    done += written;
  }
}

/** Asynchronous version of `writeFully`. */
export async function writeFullyAsync(
  fd: number,
  source: Uint8Array,
  position: number,
): Promise<void> {
  for (let done = 0; done < source.byteLength; )
    done += await new Promise<number>((resolve, reject) => {
      const rest = source.subarray(done, done + MAX_CALL_BYTES);
      const { byteLength } = rest;
      write(fd, rest, 0, byteLength, position + done, (error, written) =>
        error ? reject(error) : resolve(written),
      );
    });
}

/** Rejects invalid positions: Node would silently use the file's cursor instead. */
function checkPosition(position: number): void {
  if (!Number.isSafeInteger(position) || position < 0)
    throw new RangeError(`expected a byte position, found ${position}`);
}

/** A file ended before the end of a range that should exist. */
export class ShortReadError extends Error {
  readonly code = "ERR_SHORT_READ";
  constructor(position: number, expected: number, found: number) {
    super(
      `expected ${expected} bytes at byte ${position}, found ${found}: the file ends there (was it truncated while it was read?)`,
    );
  }
}
