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
import { systemErrorKind } from "./system-error.js";
import { randomHex } from "./temporary-names.js";

/** Linux flag for files without a name; Node has no constant for it. */
const O_TMPFILE = 0o20200000;

/**
 * A temporary file without a name, whose space is freed when it is closed, however the process ends. It is created in a
 * directory, or in the system's temporary directory if that one is not writable.
 */
export class AnonymousFile {
  readonly fd: number;
  #bytes = 0;

  /** @throws the system's error if neither directory is writable; ConfigurationError if the second one does not exist */
  constructor(directory = tmpdir()) {
    this.fd = openIn(directory);
  }

  /** Returns a file that `write` has filled; closes it if `write` throws. */
  static written(
    directory: string | undefined,
    write: (file: AnonymousFile) => void,
  ): AnonymousFile {
    const file = new AnonymousFile(directory);
    try {
      write(file);
      return file;
    } catch (error) {
      file.close();
      throw error;
    }
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Appends bytes; returns their offset. */
  append(source: Uint8Array): number {
    const position = this.#bytes;
    writeFully(this.fd, source, position);
    this.#bytes += source.byteLength;
    return position;
  }

  /** Appends zeros, to be overwritten by positional writes; returns their offset. */
  reserve(bytes: number): number {
    const position = this.#bytes;
    this.#bytes += bytes;
    ftruncateSync(this.fd, this.#bytes);
    return position;
  }

  close(): void {
    closeSync(this.fd);
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
