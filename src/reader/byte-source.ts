import { InternalError, UsageError } from "../errors.js";
import { openPlainArrow } from "../input/arrow-container.js";
import { checkUnwritten } from "../input/input-state.js";
import { readInputAsync } from "../input/read-input.js";
import type { ArrowContainer } from "../input/record-batches.js";

/** Buffer of a record batch: bytes of the file, already checked to be inside the body of the batch. */
export interface Region {
  /** Offset in the file. */
  start: number;
  bytes: number;
}

/** Source of the bytes of columns: the file, or a read-ahead buffer. */
export interface ByteSource {
  /** Returns bytes `[offset, offset + bytes)` of the region in a new buffer. */
  read(
    region: Region,
    offset: number,
    bytes: number,
  ): Promise<Uint8Array<ArrayBuffer>>;
}

/** Opens an Arrow file or stream; decompresses it first if it is compressed. @throws as openPlainArrow */
export async function openFileBytes(path: string): Promise<FileBytes> {
  return new FileBytes(await openPlainArrow(path));
}

/** Positional reads of an open file. Closing waits for pending reads, because the descriptor may be reused after it. */
export class FileBytes implements ByteSource {
  readonly #pending = new Set<Promise<void>>();
  #closing: Promise<void> | null = null;

  constructor(readonly file: ArrowContainer) {}

  /** @throws UsageError after `close`; InputChangedError, InputFormatError if the file was modified or truncated; IoError */
  async read(
    region: Region,
    offset: number,
    bytes: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    this.checkOpen();
    if (!(offset >= 0 && bytes >= 0 && offset + bytes <= region.bytes))
      throw new InternalError(
        `expected a range inside a buffer of ${region.bytes} bytes, found ${bytes} bytes at ${offset}`,
      );
    const target = allocated(
      () => new Uint8Array(bytes),
      `${this.file.path}: ${bytes} bytes`,
    );
    const read = readInputAsync(this.file, target, region.start + offset);
    this.#pending.add(read);
    try {
      await read;
      // If the file was modified, the bytes may mix two versions.
      checkUnwritten(this.file);
    } finally {
      this.#pending.delete(read);
    }
    return target;
  }

  /** @throws UsageError after `close` */
  checkOpen(): void {
    if (this.#closing)
      throw new UsageError(`${this.file.path}: the reader is closed`, null);
  }

  close(): Promise<void> {
    this.#closing ??= Promise.allSettled(this.#pending).then(() =>
      this.file.close(),
    );
    return this.#closing;
  }
}

const WINDOW_BYTES = 1 << 20;
const MAX_WINDOWS = 32;

interface Window {
  start: number;
  end: number;
  bytes: Promise<Uint8Array<ArrayBuffer>>;
}

/** Read-ahead for sequential access: serves small reads of a region from a window of 1 MiB. */
export class ReadAhead implements ByteSource {
  /** By start of the region, oldest first. */
  readonly #windows = new Map<number, Window>();

  constructor(private readonly source: ByteSource) {}

  async read(
    region: Region,
    offset: number,
    bytes: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    if (bytes >= WINDOW_BYTES) return this.source.read(region, offset, bytes);
    const last = this.#windows.get(region.start);
    const window =
      last && offset >= last.start && offset + bytes <= last.end
        ? last
        : this.#open(region, offset, bytes);
    const first = offset - window.start;
    return (await window.bytes).slice(first, first + bytes);
  }

  #open(region: Region, start: number, bytes: number): Window {
    const ahead = Math.min(start + WINDOW_BYTES, region.bytes);
    const end = Math.max(ahead, start + bytes);
    const read = this.source.read(region, start, end - start);
    const window = { start, end, bytes: read };
    const windows = this.#windows;
    windows.delete(region.start);
    windows.set(region.start, window);
    const [oldest] = windows.keys();
    if (windows.size > MAX_WINDOWS) windows.delete(oldest as number);
    // Lets the next read retry after a failure.
    read.catch(() => windows.delete(region.start));
    return window;
  }
}

/** Calls `make` to allocate an array. @throws UsageError if it does not fit in memory */
export function allocated<Array>(make: () => Array, what: string): Array {
  try {
    return make();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new UsageError(`${what} do not fit in memory`, null);
  }
}
