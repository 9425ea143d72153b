import { closeSync, constants, fstatSync, openSync } from "node:fs";
import {
  InputMissingError,
  InputUnsupportedError,
  IoError,
  PermissionError,
} from "../errors.js";
import type { PresentBlocks } from "../io/present-blocks.js";
import { DEFAULT_LIMITS, type Limits } from "./limits.js";

/** A file whose bytes are read by position. */
export interface InputFile {
  /** Name for messages. */
  path: string;
  fd: number;
  bytes: number;
  limits: Limits;
  /** Which of its bytes are there, where others are still to be fetched; null: all are. */
  present: PresentBlocks | null;
  close(): void;
}

/**
 * Opens a regular file for reading, through symbolic links.
 * @throws InputMissingError, PermissionError, IoError; InputUnsupportedError for a directory, device or pipe
 */
export function openInputFile(
  path: string,
  limits: Limits = DEFAULT_LIMITS,
): InputFile {
  let fd: number;
  try {
    // Without O_NONBLOCK a pipe that nobody writes to would be waited for.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR")
      throw new InputMissingError(path, { cause });
    if (code === "EACCES" || code === "EPERM")
      throw new PermissionError(path, "may not be read", { cause });
    throw new IoError(path, `could not be opened: ${code}`, { cause });
  }
  const stat = fstatSync(fd);
  if (stat.isFile())
    return {
      path,
      fd,
      bytes: stat.size,
      limits,
      present: null,
      close: () => closeSync(fd),
    };
  closeSync(fd);
  throw new InputUnsupportedError(
    path,
    "input",
    `expected a regular file, found ${stat.isDirectory() ? "a directory" : "a device or pipe (standard input is read with -)"}`,
  );
}
