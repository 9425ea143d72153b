/** Address space that is set aside at first, in bytes: memory is taken as it is needed. */
const RESERVED_BYTES = 64 << 20;
/** Memory is taken by so much at least. */
const STEP_BYTES = 1 << 20;

/** Bytes that grow in place; what they took up stays theirs when they start anew. */
export class GrowingBytes {
  #buffer: ArrayBuffer;
  #bytes: Uint8Array;
  #words: Int32Array;
  #used = 0;

  constructor(reservedBytes = RESERVED_BYTES) {
    this.#buffer = new ArrayBuffer(0, { maxByteLength: reservedBytes });
    this.#bytes = new Uint8Array(this.#buffer);
    this.#words = new Int32Array(this.#buffer);
  }

  get used(): number {
    return this.#used;
  }

  /** What has been added; good until more is. */
  get view(): Uint8Array {
    return this.#bytes.subarray(0, this.#used);
  }

  add(source: Uint8Array): void {
    this.#makeRoom(source.byteLength);
    this.#bytes.set(source, this.#used);
    this.#used += source.byteLength;
  }

  /** Of bytes that are all int32. */
  addInt32(value: number): void {
    this.#makeRoom(4);
    this.#words[this.#used >> 2] = value;
    this.#used += 4;
  }

  clear(): void {
    this.#used = 0;
  }

  #makeRoom(bytes: number): void {
    const needed = this.#used + bytes;
    const { byteLength, maxByteLength } = this.#buffer;
    if (needed <= byteLength) return;
    const wanted = Math.ceil(Math.max(needed, byteLength * 1.1) / STEP_BYTES);
    if (needed > maxByteLength) this.#reserve(2 * needed);
    this.#buffer.resize(
      Math.min(wanted * STEP_BYTES, this.#buffer.maxByteLength),
    );
  }

  /** A new place, for more than was thought of. */
  #reserve(maxByteLength: number): void {
    const old = this.view;
    // Node 20 refuses a view of words on bytes that do not end with one.
    const length = Math.ceil(old.byteLength / 4) * 4;
    this.#buffer = new ArrayBuffer(length, { maxByteLength });
    this.#bytes = new Uint8Array(this.#buffer);
    this.#words = new Int32Array(this.#buffer);
    this.#bytes.set(old);
  }
}
