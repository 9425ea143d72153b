import { readFully } from "../../src/io/positional.js";
import { Damaged } from "./failure.js";

/** Read at once. */
const STEP_BYTES = 1 << 20;

/** The bytes of one compressed buffer, from its first to its last, read ahead of who takes them. */
export class CompressedBytes {
  #held = new Uint8Array(0);
  /** Taken of what is held. */
  #taken = 0;
  #position: number;
  readonly #end: number;

  constructor(
    private readonly fd: number,
    position: number,
    bytes: number,
  ) {
    this.#position = position;
    this.#end = position + bytes;
  }

  /** Bytes that have not been taken. */
  get left(): number {
    return this.#end - this.#position + this.#held.byteLength - this.#taken;
  }

  /** The next `count` bytes, good until more are taken. @throws Damaged where there are not as many */
  take(count: number, what: string): Uint8Array {
    if (count > this.left)
      throw new Damaged(
        `expected ${count} bytes of ${what}, found ${this.left}: the compressed data is truncated`,
      );
    const rest = this.#held.byteLength - this.#taken;
    if (count > rest) {
      const more = Math.min(
        Math.max(STEP_BYTES, count - rest),
        this.#end - this.#position,
      );
      const held = new Uint8Array(rest + more);
      held.set(this.#held.subarray(this.#taken));
      readFully(this.fd, held.subarray(rest), this.#position);
      this.#position += more;
      this.#held = held;
      this.#taken = 0;
    }
    this.#taken += count;
    return this.#held.subarray(this.#taken - count, this.#taken);
  }

  uint32(what: string): number {
    const bytes = this.take(4, what);
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  }
}
