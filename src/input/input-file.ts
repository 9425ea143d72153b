import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  type Stats,
  statSync,
} from "node:fs";
import { addAbortSignal } from "node:stream";
import { AbortedError, InputUnsupportedError, UsageError } from "../errors.js";
import { AnonymousFile, COPY_FAILED } from "../io/anonymous-file.js";
import {
  assertSupportedScheme,
  isRemote,
  STANDARD_INPUT,
} from "../io/location.js";
import { inputCall, ioError } from "../io/system-error.js";
import { HEAD_BYTES, inputFormat } from "./input-format.js";
import { fileSource } from "./input-state.js";
import type { OpenOptions } from "./logits-file.js";
import type { InputFile } from "./read-input.js";

/** Directory of the temporary copy of standard input, and a signal that stops the copy. */
type StandardInputOptions = Pick<OpenOptions, "scratch" | "signal">;

/** Opens a path, or `-` for standard input. @throws as openInputFile; AbortedError */
export async function openInput(
  path: string,
  options: StandardInputOptions,
): Promise<InputFile> {
  return path === STANDARD_INPUT
    ? openStandardInput(options)
    : openInputFile(path);
}

/**
 * Opens a regular file for reading, through symbolic links.
 * @throws InputMissingError, PermissionError, IoError; InputUnsupportedError for a directory, device, pipe or socket;
 * UsageError for a URL
 */
export function openInputFile(path: string): InputFile {
  assertSupportedScheme(path, "input");
  if (isRemote(path))
    throw new UsageError(
      "s3:// is supported by the commands of datasets only (softjac run, plan, submit); download the file first",
      "input",
    );
  // Checked before opening: a socket cannot be opened, and opening a device may have effects.
  checkRegular(
    path,
    inputCall(path, "could not be examined", () => statSync(path)),
  );
  // Without O_NONBLOCK, opening a pipe blocks until another process writes to it.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK;
  const fd = inputCall(path, "could not be opened", () =>
    openSync(path, flags),
  );
  const close = () => closeSync(fd);
  try {
    const source = inputCall(path, "could not be examined", () =>
      fileSource(path, fd),
    );
    const { bytes } = source.opened;
    return { path, fd, bytes, present: null, source, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** Returns an input of some bytes, in an anonymous temporary file. @throws IoError */
export function copyInput(path: string, content: Uint8Array): InputFile {
  const copy = new AnonymousFile(path);
  const close = () => copy.close();
  try {
    copy.append(content);
  } catch (error) {
    close();
    throw error;
  }
  const { fd, bytes } = copy;
  return { path, fd, bytes, present: null, source: null, close };
}

function checkRegular(path: string, stat: Stats): void {
  if (stat.isFile()) return;
  throw new InputUnsupportedError(
    path,
    "input",
    stat.isDirectory()
      ? "expected a file, found a directory; give the path of one of its files"
      : stat.isSocket()
        ? "sockets are not supported"
        : "pipes and devices are not supported; use - to read standard input",
  );
}

/**
 * Opens standard input: a redirected file in place, a pipe as a copy in an anonymous temporary file, which uses no memory.
 * The format is checked as soon as the first bytes arrive, because a stream of another format may never end.
 */
async function openStandardInput({
  scratch,
  signal,
}: StandardInputOptions): Promise<InputFile> {
  const path = "standard input";
  const stat = fstatSync(0);
  const input = { path, present: null, source: null };
  if (stat.isFile()) {
    const source = fileSource(path, 0, null);
    return { ...input, fd: 0, bytes: stat.size, source, close: () => {} };
  }
  const { stdin } = process;
  if (stat.isDirectory() || stdin.isTTY)
    throw new InputUnsupportedError(
      path,
      "input",
      `expected a file or a pipe, found a ${stat.isDirectory() ? "directory" : "terminal"}; redirect a file to it: softjac run - -o OUTPUT < FILE`,
    );
  const copy = new AnonymousFile(path, scratch);
  const file = (): InputFile => {
    const { fd, bytes } = copy;
    return { ...input, fd, bytes, close: () => copy.close() };
  };
  try {
    for await (const chunk of signal ? addAbortSignal(signal, stdin) : stdin) {
      const start = copy.append(chunk as Uint8Array);
      if (start < HEAD_BYTES && copy.bytes >= HEAD_BYTES) inputFormat(file());
    }
    return file();
  } catch (cause) {
    copy.close();
    if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
    throw ioError(path, COPY_FAILED, cause);
  }
}
