import {
  closeSync,
  constants,
  ftruncateSync,
  openSync,
  unlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeFully } from "./positional.js";
import { randomHex } from "./temporary-names.js";

/** Linux: a file that never has a name. Node has no constant for it. */
const O_TMPFILE = 0o20200000;

/**
 * A file that nobody else sees: its space is freed when it is closed, however the process ends. It is on the file system of
 * a directory, or of the system's for temporary files if that one cannot be written to.
 */
export class AnonymousFile {
  readonly fd: number;
  #bytes = 0;

  /** @throws the system's error if neither directory can be written to */
  constructor(directory = tmpdir()) {
    this.fd = openIn(directory);
  }

  /** A file that `write` has written, which is closed if that fails. */
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

  /** Writes at the end; returns the position. */
  append(source: Uint8Array): number {
    const position = this.#bytes;
    writeFully(this.fd, source, position);
    this.#bytes += source.byteLength;
    return position;
  }

  /** Appends zeros, for writers by position; returns where they start. */
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
    return openWithName(tmpdir());
  }
}

function openWithName(directory: string): number {
  const path = join(directory, `.softjac-${randomHex(18)}`);
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
  const fd = openSync(path, flags, 0o600);
  unlinkSync(path);
  return fd;
}
