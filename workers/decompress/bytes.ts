import { ReadWindow, viewOf } from "../../src/arrow/read-window.js";
import { readFully, writeFully } from "../../src/io/positional.js";
import { withSide } from "../slot-bytes.js";

/** Error of damaged compressed bytes. */
export class Damaged extends Error {}

/** Size of one read. */
const STEP_BYTES = 1 << 20;

/** Sequential reader of one compressed buffer. */
export class CompressedBytes {
  readonly #window: ReadWindow;
  readonly #end: number;

  constructor(
    fd: number,
    private position: number,
    bytes: number,
  ) {
    this.#end = position + bytes;
    this.#window = new ReadWindow((position, bytes) => {
      const target = new Uint8Array(bytes);
      readFully(fd, target, position);
      return target;
    }, STEP_BYTES);
  }

  /** Number of bytes that have not been taken. */
  get left(): number {
    return this.#end - this.position;
  }

  /** Returns the next `count` bytes. @throws Damaged if there are fewer */
  take(count: number, what: string): Uint8Array<ArrayBuffer> {
    if (count > this.left)
      throw new Damaged(
        `expected ${count} bytes of ${what}, found ${this.left}: the compressed data is truncated`,
      );
    const taken = this.#window.bytes(this.position, count, this.#end);
    this.position += count;
    return taken;
  }

  uint32(what: string): number {
    return viewOf(this.take(4, what)).getUint32(0, true);
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
