import type { Sequential } from "./sequential-file.js";

/** Who takes bytes in order. */
interface Sink {
  write(bytes: Uint8Array): Promise<void>;
}

/** What a SequentialFile would write, to a stream, which has the bytes from `start` on. */
export class SequentialStream implements Sequential {
  position = 0;

  constructor(
    private readonly sink: Sink,
    private readonly start: number,
  ) {}

  async add(bytes: Uint8Array): Promise<void> {
    const skipped = Math.max(0, this.start - this.position);
    this.position += bytes.byteLength;
    const rest = bytes.subarray(skipped);
    if (rest.byteLength > 0) await this.sink.write(rest);
  }

  async padTo(position: number): Promise<void> {
    if (position > this.position)
      await this.add(new Uint8Array(position - this.position));
  }

  async finish(): Promise<void> {}

  async settled(): Promise<void> {}
}
