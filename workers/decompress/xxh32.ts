// xxHash with 32 bits (github.com/Cyan4973/xxHash, doc/xxhash_spec.md), the checksum of LZ4 frames.

const PRIME_1 = 0x9e3779b1;
const PRIME_2 = 0x85ebca77;
const PRIME_3 = 0xc2b2ae3d;
const PRIME_4 = 0x27d4eb2f;
const PRIME_5 = 0x165667b1;

function rotate(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits));
}

function word(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

function round(accumulator: number, lane: number): number {
  return Math.imul(
    rotate((accumulator + Math.imul(lane, PRIME_2)) | 0, 13),
    PRIME_1,
  );
}

/** Incremental hash with seed 0. */
export class Xxh32 {
  readonly #lanes = Int32Array.of(PRIME_1 + PRIME_2, PRIME_2, 0, -PRIME_1);
  readonly #rest = new Uint8Array(16);
  #restBytes = 0;
  #length = 0;

  add(bytes: Uint8Array): this {
    this.#length += bytes.byteLength;
    let at = 0;
    if (this.#restBytes > 0) {
      at = Math.min(16 - this.#restBytes, bytes.byteLength);
      this.#rest.set(bytes.subarray(0, at), this.#restBytes);
      this.#restBytes += at;
      if (this.#restBytes < 16) return this;
      this.#stripe(this.#rest, 0);
      this.#restBytes = 0;
    }
    for (; at + 16 <= bytes.byteLength; at += 16) this.#stripe(bytes, at);
    this.#rest.set(bytes.subarray(at));
    this.#restBytes = bytes.byteLength - at;
    return this;
  }

  get value(): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.#lanes;
    let hash =
      this.#length >= 16
        ? (rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18)) | 0
        : PRIME_5 | 0;
    hash = (hash + this.#length) | 0;
    let at = 0;
    for (; at + 4 <= this.#restBytes; at += 4)
      hash = Math.imul(
        rotate((hash + Math.imul(word(this.#rest, at), PRIME_3)) | 0, 17),
        PRIME_4,
      );
    for (; at < this.#restBytes; at++)
      hash = Math.imul(
        rotate((hash + Math.imul(this.#rest[at] as number, PRIME_5)) | 0, 11),
        PRIME_1,
      );
    hash = Math.imul(hash ^ (hash >>> 15), PRIME_2);
    hash = Math.imul(hash ^ (hash >>> 13), PRIME_3);
    return (hash ^ (hash >>> 16)) >>> 0;
  }

  #stripe(bytes: Uint8Array, at: number): void {
    for (let k = 0; k < 4; k++)
      this.#lanes[k] = round(this.#lanes[k] as number, word(bytes, at + 4 * k));
  }
}
