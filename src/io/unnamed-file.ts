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
import { randomHex } from "./random-name.js";

/** Linux: a file that never has a name. Node has no constant for it. */
const O_TMPFILE = 0o20200000;

/**
 * A file that nobody else sees: its room is given back when it is closed, however the process ends.
 * It stands on the file system of a directory, or of the system's for temporary files where nothing may be written there.
 */
export class UnnamedFile {
  readonly fd: number;
  #bytes = 0;

  /** @throws the system's error where neither directory takes it */
  constructor(directory = tmpdir()) {
    this.fd = openIn(directory) ?? openWithName(tmpdir());
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Writes behind what is there; returns where. */
  append(source: Uint8Array): number {
    const position = this.#bytes;
    writeFully(this.fd, source, position);
    this.#bytes += source.byteLength;
    return position;
  }

  /** Writes over bytes that were reserved. */
  write(source: Uint8Array, position: number): void {
    writeFully(this.fd, source, position);
  }

  /** Makes the file longer by so many zeros, for writers who know their place; returns where they start. */
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

function openIn(directory: string): number | null {
  if (process.platform === "linux")
    try {
      return openSync(directory, O_TMPFILE | constants.O_RDWR, 0o600);
    } catch {
      // A file system without such files, or one that is not ours to write to: the next way tells.
    }
  try {
    return openWithName(directory);
  } catch {
    return null;
  }
}

function openWithName(directory: string): number {
  const path = join(directory, `.softjac-${randomHex(18)}`);
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
  const fd = openSync(path, flags, 0o600);
  unlinkSync(path);
  return fd;
}
