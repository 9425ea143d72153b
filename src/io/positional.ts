import { read, readSync, write, writeSync } from "node:fs";

/** Node refuses or cuts calls of 2 GiB and over. */
const MAX_CALL_BYTES = 1 << 30;

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
  for (let done = 0; done < target.byteLength; ) {
    const length = Math.min(target.byteLength - done, MAX_CALL_BYTES);
    const found = readSync(fd, target, done, length, position + done);
    if (found === 0)
      throw new ShortReadError(position, target.byteLength, done);
    done += found;
  }
}

/** Does what `readFully` does, without holding up the event loop. */
export async function readFullyAsync(
  fd: number,
  target: Uint8Array,
  position: number,
): Promise<void> {
  checkPosition(position);
  for (let done = 0; done < target.byteLength; ) {
    const length = Math.min(target.byteLength - done, MAX_CALL_BYTES);
    const found = await new Promise<number>((resolve, reject) =>
      read(fd, target, done, length, position + done, (error, bytes) =>
        error ? reject(error) : resolve(bytes),
      ),
    );
    if (found === 0)
      throw new ShortReadError(position, target.byteLength, done);
    done += found;
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

/** Does what `writeFully` does, without holding up the event loop. */
export async function writeFullyAsync(
  fd: number,
  source: Uint8Array,
  position: number,
): Promise<void> {
  for (let done = 0; done < source.byteLength; )
    done += await new Promise<number>((resolve, reject) => {
      const rest = source.subarray(done);
      const { byteLength } = rest;
      write(fd, rest, 0, byteLength, position + done, (error, written) =>
        error ? reject(error) : resolve(written),
      );
    });
}

/** Node reads a position that is no whole number as "at the file's cursor", and writes there without an error. */
function checkPosition(position: number): void {
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
