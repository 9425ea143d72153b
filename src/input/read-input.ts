import { InputFormatError, IoError } from "../errors.js";
import { readFully, ShortReadError } from "../io/positional.js";
import { readFullyAsync } from "../io/positional-async.js";

/**
 * Fills `target` from the input.
 * @throws InputFormatError where the file has become shorter than it was; IoError where the system cannot read it
 */
export function readInput(
  { path, fd }: { path: string; fd: number },
  target: Uint8Array,
  position: number,
): void {
  try {
    readFully(fd, target, position);
  } catch (cause) {
    throw inputError(path, cause);
  }
}

/** The same, without holding up the event loop. */
export async function readInputAsync(
  { path, fd }: { path: string; fd: number },
  target: Uint8Array,
  position: number,
): Promise<void> {
  try {
    await readFullyAsync(fd, target, position);
  } catch (cause) {
    throw inputError(path, cause);
  }
}

function inputError(path: string, cause: unknown): unknown {
  if (cause instanceof ShortReadError)
    return new InputFormatError(path, "file", cause.message, { cause });
  const { code } = cause as NodeJS.ErrnoException;
  if (!code) return cause;
  return new IoError(path, `could not be read: ${code}`, { cause });
}
