import { writeFullyAsync } from "./positional.js";
import {
  DIRECT_BYTES,
  isDirectWriteRejected,
  type WriteTarget,
  writeOrCompare,
} from "./write-or-compare.js";

/** A file that is written from start to end. */
export class Sequential {
  /** Bytes added so far. */
  position = 0;

  /** @param put writes bytes at a position, the end of those before; they may be changed when the promise resolves */
  constructor(
    private readonly put: (
      bytes: Uint8Array,
      position: number,
    ) => Promise<void>,
  ) {}

  /** Adds zeros up to `position`, then the bytes. They may be changed when the promise resolves. */
  async add(bytes: Uint8Array, position = this.position): Promise<void> {
    if (position > this.position)
      await this.add(new Uint8Array(position - this.position));
    await this.put(bytes, this.position);
    this.position += bytes.byteLength;
  }

  /** Waits until all bytes are written. */
  async finish(): Promise<void> {}

  /** Waits until nothing is being written; ignores errors. */
  async settled(): Promise<void> {}
}

/** Writes or compares the bytes at their positions, and nothing between them. */
export class PositionalFile extends Sequential {
  constructor(target: WriteTarget) {
    super(async (bytes, position) => writeOrCompare(target, bytes, position));
  }

  override async add(bytes: Uint8Array, position: number): Promise<void> {
    this.position = position;
    await super.add(bytes);
  }
}

/** Size of one write. */
const BLOCK_BYTES = 2 << 20;
/** One block is filled while two are written: two concurrent writes are faster than one. */
const BLOCKS = 3;

/** Writes a file in large aligned blocks, past the page cache unless the descriptor `direct` is -1. */
export class SequentialFile extends Sequential {
  readonly #blocks = alignedBlocks(BLOCKS, BLOCK_BYTES);
  /** The last write of each block. */
  readonly #writing = this.#blocks.map(() => Promise.resolve());
  #current = 0;
  /** Position of the current block. */
  #start = 0;
  #used = 0;

  constructor(
    private readonly fd: number,
    private readonly direct: number,
  ) {
    super((bytes, position) => this.#put(bytes, position));
  }

  async #put(bytes: Uint8Array, position: number): Promise<void> {
    if (this.direct < 0 && bytes.byteLength >= BLOCK_BYTES) {
      // Only direct writes need aligned blocks; other large writes need no copy.
      await this.#writeBlock();
      const writing = this.#write(bytes, position);
      writing.catch(() => {});
      this.#writing[this.#current] = writing;
      await writing;
      this.#start += bytes.byteLength;
      return;
    }
    for (let done = 0; done < bytes.byteLength; ) {
      const part = bytes.subarray(done, done + BLOCK_BYTES - this.#used);
      this.#block.set(part, this.#used);
      done += part.byteLength;
      this.#used += part.byteLength;
      if (this.#used === BLOCK_BYTES) await this.#writeBlock();
    }
  }

  override async finish(): Promise<void> {
    await Promise.all(this.#writing);
    const rest = this.#block.subarray(0, this.#used);
    const whole = this.#used - (this.#used % DIRECT_BYTES);
    await this.#write(rest.subarray(0, whole), this.#start);
    await writeFullyAsync(this.fd, rest.subarray(whole), this.#start + whole);
    this.#used = 0;
  }

  override async settled(): Promise<void> {
    await Promise.allSettled(this.#writing);
  }

  get #block(): Uint8Array {
    return this.#blocks[this.#current] as Uint8Array;
  }

  /** Starts writing the filled part of the block, and continues with the next block. */
  async #writeBlock(): Promise<void> {
    const filled = this.#block.subarray(0, this.#used);
    const writing = this.#write(filled, this.#start);
    this.#start += this.#used;
    // The error is thrown when the block is reused, or by `finish`.
    writing.catch(() => {});
    this.#writing[this.#current] = writing;
    this.#current = (this.#current + 1) % BLOCKS;
    await this.#writing[this.#current];
    this.#used = 0;
  }

  /** Writes bytes; with `direct`, length and position are multiples of DIRECT_BYTES. */
  async #write(bytes: Uint8Array, position: number): Promise<void> {
    if (this.direct >= 0)
      try {
        return await writeFullyAsync(this.direct, bytes, position);
      } catch (error) {
        if (!isDirectWriteRejected(error)) throw error;
      }
    await writeFullyAsync(this.fd, bytes, position);
  }
}

/** Allocates WebAssembly memory, which is page-aligned. Direct writes from other memory may be rejected. */
function alignedBlocks(count: number, bytes: number): Uint8Array[] {
  let buffer: ArrayBufferLike;
  try {
    const pages = (count * bytes) / 65536;
    const size = { initial: pages, maximum: pages };
    buffer = new WebAssembly.Memory({ ...size, shared: true }).buffer;
  } catch {
    buffer = new ArrayBuffer(count * bytes);
  }
  return Array.from(
    { length: count },
    (_, k) => new Uint8Array(buffer, k * bytes, bytes),
  );
}
