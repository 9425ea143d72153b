/** Bytes that grow; what they took up stays theirs when they start anew. */
export class GrowingBytes {
  #bytes = new Uint8Array(0);
  #words = new Int32Array(0);
  #used = 0;

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
    if (needed <= this.#bytes.byteLength) return;
    const room = Math.max(needed, this.#bytes.byteLength * 1.5, 1 << 16);
    const grown = new Uint8Array(4 * Math.ceil(room / 4));
    grown.set(this.view);
    this.#bytes = grown;
    this.#words = new Int32Array(grown.buffer);
  }
}
