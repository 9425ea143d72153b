import { DIRECT_BYTES, isRefused } from "./direct.js";
import { writeBehind } from "./write-behind.js";

/** Written at once. */
const BLOCK_BYTES = 2 << 20;
/** One fills while the others are written: a disk that has two to do is quicker than with one. */
const BLOCKS = 3;

/** A file from its start to its end. */
export interface Sequential {
  /** Bytes added so far. */
  readonly position: number;
  add(bytes: Uint8Array): Promise<void>;
  /** Adds zeros up to a position. */
  padTo(position: number): Promise<void>;
  /** Waits until all of it is written. */
  finish(): Promise<void>;
  /** Waits until nothing is being written, whatever becomes of it. */
  settled(): Promise<void>;
}

/**
 * A file that is written from its start to its end, in large aligned blocks, past the page cache where `direct` is a
 * descriptor for that (-1: it is not). What was added may be changed as soon as the promise is fulfilled.
 */
export class SequentialFile implements Sequential {
  position = 0;
  readonly #blocks: Uint8Array[];
  /** What became of each block's last write. */
  readonly #writing: Promise<void>[];
  #current = 0;
  #used = 0;

  constructor(
    private readonly fd: number,
    private readonly direct: number,
  ) {
    this.#blocks = alignedBlocks(BLOCKS, BLOCK_BYTES);
    this.#writing = this.#blocks.map(() => Promise.resolve());
  }

  async add(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.byteLength; ) {
      const part = bytes.subarray(done, done + BLOCK_BYTES - this.#used);
      this.#block.set(part, this.#used);
      done += part.byteLength;
      await this.#advance(part.byteLength);
    }
  }

  async padTo(position: number): Promise<void> {
    while (this.position < position) {
      const bytes = Math.min(
        position - this.position,
        BLOCK_BYTES - this.#used,
      );
      this.#block.fill(0, this.#used, this.#used + bytes);
      await this.#advance(bytes);
    }
  }

  async finish(): Promise<void> {
    await Promise.all(this.#writing);
    const rest = this.#block.subarray(0, this.#used);
    const start = this.position - this.#used;
    const whole = this.#used - (this.#used % DIRECT_BYTES);
    await this.#write(rest.subarray(0, whole), start);
    await writeBehind(this.fd, rest.subarray(whole), start + whole);
    this.#used = 0;
  }

  async settled(): Promise<void> {
    await Promise.allSettled(this.#writing);
  }

  get #block(): Uint8Array {
    return this.#blocks[this.#current] as Uint8Array;
  }

  async #advance(bytes: number): Promise<void> {
    this.position += bytes;
    this.#used += bytes;
    if (this.#used === BLOCK_BYTES) await this.#writeBlock();
  }

  /** Has the block written as far as it is filled, which is whole pages, and goes on with the next. */
  async #writeBlock(): Promise<void> {
    if (this.#used === 0) return;
    const filled = this.#block.subarray(0, this.#used);
    const writing = this.#write(filled, this.position - this.#used);
    // told where the block is wanted again
    writing.catch(() => {});
    this.#writing[this.#current] = writing;
    this.#current = (this.#current + 1) % BLOCKS;
    await this.#writing[this.#current];
    this.#used = 0;
  }

  /** A multiple of DIRECT_BYTES at a multiple of it. */
  async #write(bytes: Uint8Array, position: number): Promise<void> {
    if (this.direct >= 0)
      try {
        await writeBehind(this.direct, bytes, position);
        return;
      } catch (error) {
        if (!isRefused(error)) throw error;
      }
    await writeBehind(this.fd, bytes, position);
  }
}

/** WebAssembly memory starts on a page; where it cannot be had, direct writes from other memory may be refused. */
function alignedBlocks(count: number, bytes: number): Uint8Array[] {
  let buffer: ArrayBufferLike;
  try {
    const pages = (count * bytes) / 65536;
    buffer = new WebAssembly.Memory({
      initial: pages,
      maximum: pages,
      shared: true,
    }).buffer;
  } catch {
    buffer = new ArrayBuffer(count * bytes);
  }
  return Array.from(
    { length: count },
    (_, k) => new Uint8Array(buffer, k * bytes, bytes),
  );
}
