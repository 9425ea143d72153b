import {
  closeSync,
  constants,
  ftruncateSync,
  openSync,
  unlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigurationError } from "../errors.js";
import { writeFully } from "./positional.js";
import { outputCall, systemErrorKind } from "./system-error.js";
import { randomHex } from "./temporary-names.js";

/** Linux flag for files without a name; Node has no constant for it. */
const O_TMPFILE = 0o20200000;

/** Failure of a write to a temporary file, in messages about the input. */
export const COPY_FAILED = "could not be copied to a temporary file";

/**
 * A temporary file without a name, whose space is freed when it is closed, however the process ends. It is created in a
 * directory, or in the system's temporary directory if that one is not writable. Its methods throw IoError.
 */
export class AnonymousFile {
  readonly fd: number;
  #bytes = 0;

  /**
   * @param path input that is copied, for messages
   * @throws PermissionError, IoError; ConfigurationError if TMPDIR does not exist
   */
  constructor(
    private readonly path: string,
    directory = tmpdir(),
  ) {
    this.fd = outputCall(path, COPY_FAILED, () => openIn(directory));
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Appends bytes; returns their offset. */
  append(source: Uint8Array): number {
    const position = this.#bytes;
    outputCall(this.path, COPY_FAILED, () =>
      writeFully(this.fd, source, position),
    );
    this.#bytes += source.byteLength;
    return position;
  }

  /** Appends zeros, to be overwritten by positional writes; returns their offset. */
  reserve(bytes: number): number {
    const position = this.#bytes;
    this.#bytes += bytes;
    outputCall(this.path, COPY_FAILED, () =>
      ftruncateSync(this.fd, this.#bytes),
    );
    return position;
  }

  close(): void {
    closeSync(this.fd);
  }
}

/** Anonymous files with decoded parts of one input, which are closed together. */
export class TemporaryFiles {
  readonly #files: AnonymousFile[] = [];

  /** @param directory as for AnonymousFile */
  constructor(readonly directory?: string) {}

  /** @throws as AnonymousFile */
  open(path: string): AnonymousFile {
    const file = new AnonymousFile(path, this.directory);
    this.#files.push(file);
    return file;
  }

  close(): void {
    for (const file of this.#files.splice(0)) file.close();
  }
}

function openIn(directory: string): number {
  if (process.platform === "linux")
    try {
      return openSync(directory, O_TMPFILE | constants.O_RDWR, 0o600);
    } catch {}
  try {
    return openWithName(directory);
  } catch {
    return openTemporary();
  }
}

function openTemporary(): number {
  try {
    return openWithName(tmpdir());
  } catch (cause) {
    if (systemErrorKind(cause) !== "missing") throw cause;
    throw new ConfigurationError(
      `TMPDIR: no temporary file can be created in ${tmpdir()}; set it to a directory that exists`,
      { cause },
    );
  }
}

function openWithName(directory: string): number {
  const path = join(directory, `.softjac-${randomHex(18)}`);
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
  const fd = openSync(path, flags, 0o600);
  unlinkSync(path);
  return fd;
}
