/** Short parts are collected up to this size. */
const HELD_BYTES = 1 << 16;

/** Writes one buffer of the output from its start to its end; short parts are written together. */
export class BufferWriter {
  #held: Uint8Array | null = null;
  #heldBytes = 0;
  /** Number of bytes added. */
  bytes = 0;

  /**
   * @param size bytes that the buffer has
   * @param write writes bytes at an offset of the buffer
   * @param tooMany is called, and throws, where more bytes are added
   */
  constructor(
    private readonly size: number,
    private readonly write: (part: Uint8Array, offset: number) => void,
    private readonly tooMany: () => never,
  ) {}

  add(part: Uint8Array): void {
    const length = part.byteLength;
    if (this.bytes + length > this.size) this.tooMany();
    if (this.#heldBytes + length > HELD_BYTES) this.#flush();
    if (length > HELD_BYTES / 2) {
      this.#flush();
      this.write(part, this.bytes);
    } else {
      this.#held ??= new Uint8Array(HELD_BYTES);
      this.#held.set(part, this.#heldBytes);
      this.#heldBytes += length;
    }
    this.bytes += length;
  }

  /** Writes what is held, and checks that the buffer is complete. */
  finish(): void {
    this.#flush();
    if (this.bytes !== this.size) this.tooMany();
  }

  #flush(): void {
    if (!this.#held || this.#heldBytes === 0) return;
    const held = this.#held.subarray(0, this.#heldBytes);
    this.write(held, this.bytes - this.#heldBytes);
    this.#heldBytes = 0;
  }
}
