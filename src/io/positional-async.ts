import { read } from "node:fs";
import { checkPosition, MAX_CALL_BYTES, ShortReadError } from "./positional.js";

/**
 * Fills `target` from byte `position` of the file, looping over short reads; the event loop runs on meanwhile.
 * @throws ShortReadError where the file ends too early; Node's own errors as they are.
 */
export async function readFullyAsync(
  fd: number,
  target: Uint8Array,
  position: number,
): Promise<void> {
  checkPosition(position);
  let done = 0;
  while (done < target.byteLength) {
    const length = Math.min(target.byteLength - done, MAX_CALL_BYTES);
    const found = await readOnce(fd, target, done, length, position + done);
    if (found === 0)
      throw new ShortReadError(position, target.byteLength, done);
    done += found;
  }
}

function readOnce(
  fd: number,
  target: Uint8Array,
  offset: number,
  length: number,
  position: number,
): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, target, offset, length, position, (error, bytes) =>
      error ? reject(error) : resolve(bytes),
    );
  });
}
