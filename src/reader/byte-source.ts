import { InternalError, UsageError } from "../errors.js";
import { checkUnwritten } from "../input/input-state.js";
import { readInputAsync } from "../input/read-input.js";
import type { ArrowContainer } from "../input/record-batches.js";

/** A buffer of a record batch: bytes of the file that its metadata has been checked to hold. */
export interface Region {
  /** Byte of the file. */
  start: number;
  bytes: number;
}

/** Reads the bytes of columns: from the file, or from what was read of it ahead. */
export interface ByteSource {
  /** Returns bytes `[offset, offset + bytes)` of the region, in a buffer of their own, which is the caller's. */
  read(
    region: Region,
    offset: number,
    bytes: number,
  ): Promise<Uint8Array<ArrayBuffer>>;
}

/** Positional reads of an open file. It is closed only once none is under way: its descriptor may be another's then. */
export class FileBytes implements ByteSource {
  readonly #file: ArrowContainer;
  readonly #pending = new Set<Promise<void>>();
  #closing: Promise<void> | null = null;

  constructor(file: ArrowContainer) {
    this.#file = file;
  }

  /** @throws UsageError once closed; InputChangedError if the file was written to; InputFormatError if it was cut; IoError */
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
    const target = allocated(
      () => new Uint8Array(bytes),
      `${this.#file.path}: ${bytes} bytes`,
    );
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
}

/** A window makes reads few; the windows of the columns of a batch take little memory. */
const WINDOW_BYTES = 1 << 20;
const MAX_WINDOWS = 32;

interface Window {
  start: number;
  end: number;
  bytes: Promise<Uint8Array<ArrayBuffer>>;
}

/** Reads from front to back: small reads of a region are answered from a window of it, which is read at once. */
export class ReadAhead implements ByteSource {
  readonly #source: ByteSource;
  /** One for each region, the oldest first. */
  readonly #windows = new Map<number, Window>();

  constructor(source: ByteSource) {
    this.#source = source;
  }

  async read(
    region: Region,
    offset: number,
    bytes: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    if (bytes >= WINDOW_BYTES) return this.#source.read(region, offset, bytes);
    const held = this.#windows.get(region.start);
    const window =
      held && offset >= held.start && offset + bytes <= held.end
        ? held
        : this.#open(region, offset, bytes);
    const first = offset - window.start;
    return (await window.bytes).slice(first, first + bytes);
  }

  #open(region: Region, start: number, bytes: number): Window {
    const ahead = Math.min(start + WINDOW_BYTES, region.bytes);
    const end = Math.max(ahead, start + bytes);
    const read = this.#source.read(region, start, end - start);
    const window = { start, end, bytes: read };
    const windows = this.#windows;
    windows.delete(region.start);
    windows.set(region.start, window);
    const [oldest] = windows.keys();
    if (windows.size > MAX_WINDOWS) windows.delete(oldest as number);
    // A read that failed may be tried again.
    read.catch(() => windows.delete(region.start));
    return window;
  }
}

/** Returns the array that `make` allocates. @throws UsageError if memory does not suffice for it */
export function allocated<Array>(make: () => Array, what: string): Array {
  try {
    return make();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new UsageError(`${what} do not fit in memory`);
  }
}
