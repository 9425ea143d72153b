/** Reads bytes of a file by position. */
export type Read = (position: number, bytes: number) => Uint8Array<ArrayBuffer>;

/** Bytes that are read at once; parts of remote files are fetched in blocks of the same size. */
const WINDOW_BYTES = 64 << 10;

/** Reads short parts of a buffer that mostly follow one another, with one call for many of them. */
export class ReadWindow {
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #view = viewOf(this.#bytes);
  #start = 0;

  constructor(private readonly read: Read) {}

  /** Returns bytes of a buffer that ends at `end`; they are valid until the next call. */
  bytes(position: number, count: number, end: number): Uint8Array<ArrayBuffer> {
    const at = this.#find(position, count, end);
    return this.#bytes.subarray(at, at + count);
  }

  /** Returns a little-endian integer of a buffer that ends at `end`. */
  integer(position: number, bytes: number, end: number, signed = true): number {
    const at = this.#find(position, bytes, end);
    return integerAt(this.#view, at, bytes, signed);
  }

  /** Reads bytes, unless they are there, and returns where they are in the window. */
  #find(position: number, count: number, end: number): number {
    const held = this.#start + this.#bytes.byteLength;
    if (position < this.#start || position + count > held) {
      const blocks = Math.ceil((position + count) / WINDOW_BYTES);
      const wanted = Math.min(end, blocks * WINDOW_BYTES) - position;
      const bytes = count < WINDOW_BYTES ? Math.max(count, wanted) : count;
      this.#bytes = this.read(position, bytes);
      this.#view = viewOf(this.#bytes);
      this.#start = position;
    }
    return position - this.#start;
  }
}

/** Returns a view of the same bytes. */
export function viewOf({
  buffer,
  byteOffset,
  byteLength,
}: Uint8Array<ArrayBuffer>): DataView<ArrayBuffer> {
  return new DataView(buffer, byteOffset, byteLength);
}

/** Returns a little-endian integer of 1 to 8 bytes; beyond 2^53 the nearest number. */
export function integerAt(
  view: DataView,
  at: number,
  bytes: number,
  signed = true,
): number {
  switch (bytes) {
    case 1:
      return signed ? view.getInt8(at) : view.getUint8(at);
    case 2:
      return signed ? view.getInt16(at, true) : view.getUint16(at, true);
    case 4:
      return signed ? view.getInt32(at, true) : view.getUint32(at, true);
    default:
      return Number(
        signed ? view.getBigInt64(at, true) : view.getBigUint64(at, true),
      );
  }
}
