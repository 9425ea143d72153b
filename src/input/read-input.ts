import type { Read } from "../arrow/read-window.js";
import { InputFormatError } from "../errors.js";
import {
  type ByteRange,
  type FetchedRanges,
  MissingRangesError,
} from "../io/fetched-ranges.js";
import { readFully, readFullyAsync, ShortReadError } from "../io/positional.js";
import { inputError } from "../io/system-error.js";
import type { InputSource } from "./input-state.js";

/** An input, or what was decoded of one. */
export type Readable = Pick<InputFile, "path" | "fd" | "present">;

/** Checks that bytes that others will read are available. @throws MissingRangesError */
export function requireInput(
  { present }: Readable,
  ranges: readonly ByteRange[],
): void {
  const absent = present?.missing(ranges) ?? [];
  if (absent.length > 0) throw new MissingRangesError(absent);
}

/**
 * Fills `target` from the input.
 * @throws InputFormatError if the file has become shorter; IoError; MissingRangesError if the bytes were not fetched yet
 */
export function readInput(
  { path, fd, present }: Readable,
  target: Uint8Array,
  position: number,
): void {
  present?.check(position, target.byteLength);
  try {
    readFully(fd, target, position);
  } catch (cause) {
    throw readError(path, cause);
  }
}

/** Returns a function that reads bytes of the input, and throws as readInput does. */
export function inputReader(file: Readable): Read {
  return (position, bytes) => {
    const found = new Uint8Array(bytes);
    readInput(file, found, position);
    return found;
  };
}

/** Fills `target` in the same way, without holding up the event loop. */
export async function readInputAsync(
  { path, fd, present }: Partial<Readable> & Pick<Readable, "path" | "fd">,
  target: Uint8Array,
  position: number,
): Promise<void> {
  present?.check(position, target.byteLength);
  try {
    await readFullyAsync(fd, target, position);
  } catch (cause) {
    throw readError(path, cause);
  }
}

function readError(path: string, cause: unknown): Error {
  return cause instanceof ShortReadError
    ? new InputFormatError(path, "file", cause.message, { cause })
    : inputError(path, "could not be read", cause);
}

/** File whose bytes are read by position. */
export interface InputFile {
  /** Name for messages. */
  path: string;
  fd: number;
  bytes: number;
  /** Blocks that were fetched already; null if the whole file is available. */
  present: FetchedRanges | null;
  /** File or object that must not change while the input is used; null for a stream, whose bytes are read once. */
  source: InputSource | null;
  close(): void;
}
