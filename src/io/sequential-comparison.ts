import { putBytes } from "./put-bytes.js";
import type { Sequential } from "./sequential-file.js";

/** In the place of a SequentialFile: makes sure that a file has what would be written. */
export class SequentialComparison implements Sequential {
  position = 0;
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  async add(bytes: Uint8Array): Promise<void> {
    putBytes({ fd: this.#fd, compare: true }, bytes, this.position);
    this.position += bytes.byteLength;
  }

  async padTo(position: number): Promise<void> {
    await this.add(new Uint8Array(position - this.position));
  }

  async finish(): Promise<void> {}

  async settled(): Promise<void> {}
}
