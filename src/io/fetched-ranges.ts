/** Bytes `[start, end)` of a file. */
export interface ByteRange {
  start: number;
  end: number;
}

/** Fetched blocks of a file, as a message for another thread. */
export interface PresentBytes {
  bytes: number;
  shared: SharedArrayBuffer;
}

/** Unit of fetching: takes little time compared with a request's latency, and is large compared with its headers. */
export const BLOCK_BYTES = 64 << 10;

/** Bytes are needed that have not been fetched; reading them would return zeros. */
export class MissingRangesError extends Error {
  readonly code = "ERR_ABSENT_BYTES";
  constructor(readonly ranges: readonly ByteRange[]) {
    const [{ start, end } = { start: 0, end: 0 }] = ranges;
    super(`bytes ${start} to ${end} have not been fetched`);
  }
}

/**
 * Set of the fetched blocks of a file; the others are holes. One bit per block, in memory that all threads share. Readers call
 * `check` first.
 */
export class FetchedRanges {
  readonly #bits: Uint8Array;

  constructor(
    /** Size of the file in bytes. */
    private readonly bytes: number,
    readonly shared = new SharedArrayBuffer(
      Math.ceil(bytes / BLOCK_BYTES / 8) + 1,
    ),
  ) {
    this.#bits = new Uint8Array(shared);
  }

  /** Returns the data from which another thread creates the same set. */
  toShare(): PresentBytes {
    return { bytes: this.bytes, shared: this.shared };
  }

  /** Adds the blocks that lie completely in a range; the last block of the file may be shorter. */
  add({ start, end }: ByteRange): void {
    const last =
      end === this.bytes
        ? Math.ceil(end / BLOCK_BYTES)
        : Math.floor(end / BLOCK_BYTES);
    for (let k = Math.ceil(start / BLOCK_BYTES); k < last; k++)
      Atomics.or(this.#bits, k >> 3, 1 << (k & 7));
  }

  /** Returns the missing blocks of some ranges, in order and without overlaps. */
  missing(ranges: readonly ByteRange[]): ByteRange[] {
    const missing: ByteRange[] = [];
    const inOrder = ranges.toSorted((a, b) => a.start - b.start);
    let next = 0;
    for (const { start, end } of inOrder) {
      const blockEnd = Math.ceil(Math.min(end, this.bytes) / BLOCK_BYTES);
      for (
        let k = Math.max(next, Math.floor(start / BLOCK_BYTES));
        k < blockEnd;
        k++
      ) {
        if (this.#has(k)) continue;
        const block = {
          start: k * BLOCK_BYTES,
          end: Math.min((k + 1) * BLOCK_BYTES, this.bytes),
        };
        const last = missing.at(-1);
        if (last?.end === block.start) last.end = block.end;
        else missing.push(block);
      }
      next = Math.max(next, blockEnd);
    }
    return missing;
  }

  /** Rejects a range that is not completely fetched; bytes after the end of the file are ignored. @throws MissingRangesError */
  check(start: number, bytes: number): void {
    const last = Math.ceil(Math.min(start + bytes, this.bytes) / BLOCK_BYTES);
    for (let k = Math.floor(start / BLOCK_BYTES); k < last; k++)
      if (!this.#has(k))
        throw new MissingRangesError([{ start, end: start + bytes }]);
  }

  #has(k: number): boolean {
    return ((Atomics.load(this.#bits, k >> 3) >> (k & 7)) & 1) === 1;
  }
}
