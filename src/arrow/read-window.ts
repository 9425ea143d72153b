/** Reads bytes at a position of a file. */
export type Read = (position: number, bytes: number) => Uint8Array<ArrayBuffer>;

/** Bytes per read, equal to the block size in which remote files are fetched. */
const WINDOW_BYTES = 64 << 10;

/** Serves short, mostly sequential reads of a buffer from a window that is read at once. */
export class ReadWindow {
  #bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #view = viewOf(this.#bytes);
  #start = 0;

  constructor(
    private readonly read: Read,
    private readonly windowBytes = WINDOW_BYTES,
  ) {}

  /** Returns bytes of a buffer that ends at `end`, valid until the next call. */
  bytes(position: number, count: number, end: number): Uint8Array<ArrayBuffer> {
    const at = this.#find(position, count, end);
    return this.#bytes.subarray(at, at + count);
  }

  /** Returns a little-endian integer of a buffer that ends at `end`. */
  integer(position: number, bytes: number, end: number, signed = true): number {
    const at = this.#find(position, bytes, end);
    return integerAt(this.#view, at, bytes, signed);
  }

  /** Moves the window if it lacks the bytes, and returns their offset in it. */
  #find(position: number, count: number, end: number): number {
    const windowEnd = this.#start + this.#bytes.byteLength;
    if (position < this.#start || position + count > windowEnd) {
      const { windowBytes } = this;
      const blocks = Math.ceil((position + count) / windowBytes);
      const wanted = Math.min(end, blocks * windowBytes) - position;
      const bytes = count < windowBytes ? Math.max(count, wanted) : count;
      this.#bytes = this.read(position, bytes);
      this.#view = viewOf(this.#bytes);
      this.#start = position;
    }
    return position - this.#start;
  }
}

export function viewOf({
  buffer,
  byteOffset,
  byteLength,
}: Uint8Array<ArrayBuffer>): DataView<ArrayBuffer> {
  return new DataView(buffer, byteOffset, byteLength);
}

/** Returns a little-endian integer of 1, 2, 4 or 8 bytes, rounded to float64 beyond 2^53. */
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
