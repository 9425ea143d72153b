import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  type Stats,
  statSync,
} from "node:fs";
import { InputUnsupportedError, UsageError } from "../errors.js";
import type { PresentBlocks } from "../io/present-blocks.js";
import { assertSupportedScheme, isS3 } from "../store/location.js";
import { inputCall } from "../system-error.js";
import { fileSource, type InputSource } from "./input-state.js";

/** File whose bytes are read by position. */
export interface InputFile {
  /** Name for messages. */
  path: string;
  fd: number;
  bytes: number;
  /** Blocks that were fetched already; null if the whole file is available. */
  present: PresentBlocks | null;
  /** File or object that must not change while the input is used; null for a stream, whose bytes are read once. */
  source: InputSource | null;
  close(): void;
}

/**
 * Opens a regular file for reading, through symbolic links.
 * @throws InputMissingError, PermissionError, IoError; InputUnsupportedError for a directory, device, pipe or socket;
 * UsageError for a URL
 */
export function openInputFile(path: string): InputFile {
  assertSupportedScheme(path, "input");
  if (isS3(path))
    throw new UsageError(
      "s3:// is supported by the commands of datasets only (softjac run, plan, submit); download the file first",
      "input",
    );
  // A socket cannot be opened, and opening a device may act on it.
  checkRegular(
    path,
    inputCall(path, "could not be examined", () => statSync(path)),
  );
  // Without O_NONBLOCK a pipe that nobody writes to would be waited for.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK;
  const fd = inputCall(path, "could not be opened", () =>
    openSync(path, flags),
  );
  try {
    const stat = inputCall(path, "could not be examined", () => fstatSync(fd));
    checkRegular(path, stat);
    return {
      path,
      fd,
      bytes: stat.size,
      present: null,
      source: fileSource(path, fd),
      close: () => closeSync(fd),
    };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function checkRegular(path: string, stat: Stats): void {
  if (!stat.isFile())
    throw new InputUnsupportedError(path, "input", notReadable(stat));
}

function notReadable(stat: Stats): string {
  if (stat.isDirectory())
    return "expected a file, found a directory; give the path of one of its files";
  return stat.isSocket()
    ? "sockets are not supported"
    : "pipes and devices are not supported; use - to read standard input";
}
