import { writeFully } from "../../src/io/positional.js";
import { Damaged } from "./failure.js";

/** A failure of the system to keep what was decoded. */
export class KeepError extends Error {}

/** Where decoded bytes go: no more than are expected, however many a decoder gives. */
export class DecodedBytes {
  #written = 0;

  constructor(
    private readonly fd: number,
    private readonly position: number,
    private readonly expected: number,
  ) {}

  /** Bytes that are still expected. */
  get left(): number {
    return this.expected - this.#written;
  }

  add(bytes: Uint8Array): void {
    if (this.#written + bytes.byteLength > this.expected)
      throw new Damaged(
        `expected ${this.expected} decompressed bytes, found more`,
      );
    try {
      writeFully(this.fd, bytes, this.position + this.#written);
    } catch (cause) {
      throw new KeepError("could not be kept", { cause });
    }
    this.#written += bytes.byteLength;
  }

  /** @throws Damaged where there were fewer bytes than expected */
  finish(): void {
    if (this.#written !== this.expected)
      throw new Damaged(
        `expected ${this.expected} decompressed bytes, found ${this.#written}`,
      );
  }
}
