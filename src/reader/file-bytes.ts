import { InternalError, UsageError } from "../errors.js";
import type { ArrowContainer } from "../input/arrow-container.js";
import { checkUnwritten } from "../input/input-state.js";
import { readInputAsync } from "../input/read-input.js";
import type { ByteSource, Region } from "./byte-source.js";

/** Positional reads of an open file. It is closed only once none is under way: its descriptor may be another's then. */
export class FileBytes implements ByteSource {
  readonly #file: ArrowContainer;
  readonly #pending = new Set<Promise<void>>();
  #closing: Promise<void> | null = null;

  constructor(file: ArrowContainer) {
    this.#file = file;
  }

  /** @throws UsageError once closed; InputChangedError where the file was written to; InputFormatError where it was cut; IoError */
  async read(
    region: Region,
    offset: number,
    bytes: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#closing)
      throw new UsageError(`${this.#file.path}: the reader is closed`);
    if (!(offset >= 0 && bytes >= 0 && offset + bytes <= region.bytes))
      throw new InternalError(
        `expected a range inside a buffer of ${region.bytes} bytes, found ${bytes} bytes at ${offset}`,
      );
    const target = this.#room(bytes);
    const read = readInputAsync(this.#file, target, region.start + offset);
    this.#pending.add(read);
    try {
      await read;
      // A file that was written to since may give bytes of two contents.
      checkUnwritten(this.#file);
    } finally {
      this.#pending.delete(read);
    }
    return target;
  }

  close(): Promise<void> {
    this.#closing ??= Promise.allSettled(this.#pending).then(() =>
      this.#file.close(),
    );
    return this.#closing;
  }

  #room(bytes: number): Uint8Array<ArrayBuffer> {
    try {
      return new Uint8Array(bytes);
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw new UsageError(
        `${this.#file.path}: ${bytes} bytes do not fit in memory`,
      );
    }
  }
}
