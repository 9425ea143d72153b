import { readFully, writeFully } from "../../src/io/positional.js";

/** Compressed bytes are damaged: what was expected, and what was found. */
export class Damaged extends Error {}

/** The system could not write decoded bytes. */
export class WriteError extends Error {}

/** Size of one read. */
const STEP_BYTES = 1 << 20;

/** The bytes of one compressed buffer, in order, read ahead. */
export class CompressedBytes {
  #held = new Uint8Array(0);
  readonly #end: number;

  constructor(
    private readonly fd: number,
    /** Position behind the bytes that are held. */
    private position: number,
    bytes: number,
  ) {
    this.#end = position + bytes;
  }

  /** Number of bytes that have not been taken. */
  get left(): number {
    return this.#end - this.position + this.#held.byteLength;
  }

  /** Returns the next `count` bytes. @throws Damaged where there are fewer */
  take(count: number, what: string): Uint8Array {
    if (count > this.left)
      throw new Damaged(
        `expected ${count} bytes of ${what}, found ${this.left}: the compressed data is truncated`,
      );
    const rest = this.#held.byteLength;
    if (count > rest) {
      const most = this.#end - this.position;
      const more = Math.min(Math.max(STEP_BYTES, count - rest), most);
      const held = new Uint8Array(rest + more);
      held.set(this.#held);
      readFully(this.fd, held.subarray(rest), this.position);
      this.position += more;
      this.#held = held;
    }
    const taken = this.#held.subarray(0, count);
    this.#held = this.#held.subarray(count);
    return taken;
  }

  uint32(what: string): number {
    const bytes = this.take(4, what);
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  }
}

/** Takes decoded bytes: no more than are expected, however many a decoder returns. */
export class DecodedBytes {
  #written = 0;

  constructor(
    private readonly fd: number,
    private readonly position: number,
    private readonly expected: number,
  ) {}

  /** Number of bytes that are still expected. */
  get left(): number {
    return this.expected - this.#written;
  }

  add(bytes: Uint8Array): void {
    if (bytes.byteLength > this.left) this.#fail("more");
    try {
      writeFully(this.fd, bytes, this.position + this.#written);
    } catch (cause) {
      throw new WriteError("could not be kept", { cause });
    }
    this.#written += bytes.byteLength;
  }

  /** @throws Damaged where there were fewer bytes than expected */
  finish(): void {
    if (this.left > 0) this.#fail(`${this.#written}`);
  }

  #fail(found: string): never {
    throw new Damaged(
      `expected ${this.expected} decompressed bytes, found ${found}`,
    );
  }
}
