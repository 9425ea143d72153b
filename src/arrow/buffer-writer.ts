/** Maximum size of the chunks that are collected for one write. */
const PENDING_BYTES = 1 << 16;

/** Writes one buffer of the output sequentially; combines short chunks into one write. */
export class BufferWriter {
  #pending: Uint8Array | null = null;
  #pendingBytes = 0;
  /** Number of bytes added. */
  bytes = 0;

  /**
   * @param size size of the buffer, in bytes
   * @param write writes a chunk at an offset of the buffer
   * @param wrongSize throws; called if the chunks have more or fewer bytes
   */
  constructor(
    private readonly size: number,
    private readonly write: (chunk: Uint8Array, offset: number) => void,
    private readonly wrongSize: () => never,
  ) {}

  add(chunk: Uint8Array): void {
    const length = chunk.byteLength;
    if (this.bytes + length > this.size) this.wrongSize();
    if (this.#pendingBytes + length > PENDING_BYTES) this.#flush();
    if (length > PENDING_BYTES / 2) {
      this.#flush();
      this.write(chunk, this.bytes);
    } else {
      this.#pending ??= new Uint8Array(PENDING_BYTES);
      this.#pending.set(chunk, this.#pendingBytes);
      this.#pendingBytes += length;
    }
    this.bytes += length;
  }

  /** Writes pending bytes and checks that the buffer is complete. */
  finish(): void {
    this.#flush();
    if (this.bytes !== this.size) this.wrongSize();
  }

  #flush(): void {
    if (!this.#pending || this.#pendingBytes === 0) return;
    const chunk = this.#pending.subarray(0, this.#pendingBytes);
    this.write(chunk, this.bytes - this.#pendingBytes);
    this.#pendingBytes = 0;
  }
}
