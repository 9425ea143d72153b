import { InputFormatError, IoError } from "../errors.js";
import { readFully, ShortReadError } from "../io/positional.js";

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
    if (cause instanceof ShortReadError)
      throw new InputFormatError(path, "file", cause.message, { cause });
    const { code } = cause as NodeJS.ErrnoException;
    if (!code) throw cause;
    throw new IoError(path, `could not be read: ${code}`, { cause });
  }
}
