import type { ByteSource, Region } from "./byte-source.js";

/** Large enough that a read costs little beside its bytes; a few columns' worth is little memory. */
const WINDOW_BYTES = 1 << 20;

interface Window {
  start: number;
  end: number;
  bytes: Promise<Uint8Array<ArrayBuffer>>;
}

/**
 * For reading from front to back: small reads of a region are answered from a window that is read at once. One window a
 * region is kept, so memory is bounded however large a batch is.
 */
export class ReadAhead implements ByteSource {
  readonly #source: ByteSource;
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
    let window = this.#windows.get(region.start);
    if (!window || offset < window.start || offset + bytes > window.end) {
      const end = Math.max(
        Math.min(offset + WINDOW_BYTES, region.bytes),
        offset + bytes,
      );
      window = {
        start: offset,
        end,
        bytes: this.#source.read(region, offset, end - offset),
      };
      this.#windows.set(region.start, window);
      // What could not be read may be tried again.
      window.bytes.catch(() => this.#windows.delete(region.start));
    }
    const { start } = window;
    const held = await window.bytes;
    return held.slice(offset - start, offset - start + bytes);
  }
}
