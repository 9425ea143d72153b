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

/** Input, or a decoded copy of one. */
export type Readable = Pick<InputFile, "path" | "fd" | "present">;

/** Throws an InputFormatError about a part of a file. */
export type Fail = (text: string, options?: ErrorOptions) => never;

export function failing({ path }: { path: string }, where: string): Fail {
  return (text, options) => {
    throw new InputFormatError(path, where, text, options);
  };
}

/** Checks that byte ranges are available before they are read elsewhere. @throws MissingRangesError */
export function requireInput(
  { present }: Readable,
  ranges: readonly ByteRange[],
): void {
  const absent = present?.missing(ranges) ?? [];
  if (absent.length > 0) throw new MissingRangesError(absent);
}

/**
 * Fills `target` from the input.
 * @throws InputFormatError if the file is too short; IoError; MissingRangesError if the bytes were not fetched yet
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

/** Returns a function that reads bytes of the input. @throws as readInput */
export function inputReader(file: Readable): Read {
  return (position, bytes) => {
    const target = new Uint8Array(bytes);
    readInput(file, target, position);
    return target;
  };
}

/** Fills `target` from the input without blocking the event loop. @throws as readInput */
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

/** Open file that is read by position. */
export interface InputFile {
  /** Name for messages. */
  path: string;
  fd: number;
  bytes: number;
  /** Ranges that were fetched already; null if the whole file is available. */
  present: FetchedRanges | null;
  /** File or object that must not change while the input is used; null for a copied stream. */
  source: InputSource | null;
  close(): void;
}
