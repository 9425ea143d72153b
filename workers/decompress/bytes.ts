import { readFully, writeFully } from "../../src/io/positional.js";
import { withSide } from "../slot-bytes.js";

/** Error of damaged compressed bytes. */
export class Damaged extends Error {}

/** Size of one read. */
const STEP_BYTES = 1 << 20;

/** Sequential reader of one compressed buffer, with read-ahead. */
export class CompressedBytes {
  /** Bytes that are read but not taken. */
  #buffered = new Uint8Array(0);
  readonly #end: number;

  constructor(
    private readonly fd: number,
    /** Position after the buffered bytes. */
    private position: number,
    bytes: number,
  ) {
    this.#end = position + bytes;
  }

  /** Number of bytes that have not been taken. */
  get left(): number {
    return this.#end - this.position + this.#buffered.byteLength;
  }

  /** Returns the next `count` bytes. @throws Damaged if there are fewer */
  take(count: number, what: string): Uint8Array {
    if (count > this.left)
      throw new Damaged(
        `expected ${count} bytes of ${what}, found ${this.left}: the compressed data is truncated`,
      );
    const rest = this.#buffered.byteLength;
    if (count > rest) {
      const max = this.#end - this.position;
      const more = Math.min(Math.max(STEP_BYTES, count - rest), max);
      const buffered = new Uint8Array(rest + more);
      buffered.set(this.#buffered);
      readFully(this.fd, buffered.subarray(rest), this.position);
      this.position += more;
      this.#buffered = buffered;
    }
    const taken = this.#buffered.subarray(0, count);
    this.#buffered = this.#buffered.subarray(count);
    return taken;
  }

  uint32(what: string): number {
    const bytes = this.take(4, what);
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  }
}

/** Sequential writer of one decoded buffer, which rejects more bytes than expected. */
export class DecodedBytes {
  #written = 0;

  constructor(
    private readonly fd: number,
    private readonly position: number,
    private readonly expected: number,
  ) {}

  get left(): number {
    return this.expected - this.#written;
  }

  add(bytes: Uint8Array): void {
    if (bytes.byteLength > this.left) this.#fail("more");
    withSide("output", () =>
      writeFully(this.fd, bytes, this.position + this.#written),
    );
    this.#written += bytes.byteLength;
  }

  /** @throws Damaged if there were fewer bytes than expected */
  finish(): void {
    if (this.left > 0) this.#fail(`${this.#written}`);
  }

  #fail(found: string): never {
    throw new Damaged(
      `expected ${this.expected} decompressed bytes, found ${found}`,
    );
  }
}
