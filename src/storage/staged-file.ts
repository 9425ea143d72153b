import { AnonymousFile, COPY_FAILED } from "../io/anonymous-file.js";
import {
  BLOCK_BYTES,
  type ByteRange,
  FetchedRanges,
  MissingRangesError,
} from "../io/fetched-ranges.js";
import { mapConcurrent } from "../io/map-concurrent.js";
import { writeFullyAsync } from "../io/positional.js";
import { ioError } from "../io/system-error.js";
import type { Store, StoredRange } from "./store.js";

const MAX_REQUEST_BYTES = 8 * 2 ** 20;
/** Maximum gap between two ranges that one request fetches. */
const MAX_GAP_BYTES = 4 * BLOCK_BYTES;
const REQUESTS_AT_ONCE = 6;

/**
 * Local copy of a stored file as a sparse anonymous file, which all threads read by position. Only the ranges that are needed
 * are fetched. Responses are streamed to the disk, so that memory holds a few pieces of each.
 */
export class StagedFile {
  readonly present: FetchedRanges;
  readonly #file: AnonymousFile;
  /** End of the last range that was missing, and the number of bytes fetched for it. */
  #last = { end: -1, bytes: 0 };

  constructor(
    private readonly store: Pick<Store, "readRange">,
    readonly name: string,
    readonly state: { bytes: number; etag?: string },
    /** Directory of the anonymous file; default: that of temporary files. */
    readonly scratch?: string,
  ) {
    this.#file = new AnonymousFile(name, scratch);
    this.#file.reserve(state.bytes);
    this.present = new FetchedRanges(state.bytes);
  }

  get fd(): number {
    return this.#file.fd;
  }

  /** Fetches the missing bytes of some ranges. @throws as readRange of a store */
  async fetch(
    ranges: readonly ByteRange[],
    signal?: AbortSignal,
  ): Promise<void> {
    const requests = requestsFor(this.present.missing(ranges));
    await mapConcurrent(requests, REQUESTS_AT_ONCE, async (range) => {
      const wanted: StoredRange = { ...range, etag: this.state.etag };
      await this.store.readRange(this.name, wanted, this.#write, signal);
      this.present.add(range);
    });
  }

  /** Returns the result of `work` on the file. If it reads missing bytes, fetches them and calls `work` again. */
  async reading<T>(
    work: () => T | Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    for (;;)
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof MissingRangesError)) throw error;
        await this.fetch(this.#readAhead(error.ranges), signal);
      }
  }

  close(): void {
    this.#file.close();
  }

  /** Extends a missing range for sequential readers: twice as many bytes each time, up to MAX_REQUEST_BYTES. */
  #readAhead(ranges: readonly ByteRange[]): readonly ByteRange[] {
    const [range] = ranges;
    if (!range || ranges.length > 1) return ranges;
    const isNext = range.start <= this.#last.end && range.end > this.#last.end;
    const bytes = isNext
      ? Math.min(MAX_REQUEST_BYTES, 2 * this.#last.bytes)
      : BLOCK_BYTES;
    const wanted = Math.max(range.end, range.start + bytes);
    const end = Math.min(this.state.bytes, wanted);
    this.#last = { end: Math.ceil(end / BLOCK_BYTES) * BLOCK_BYTES, bytes };
    return [{ start: range.start, end }];
  }

  readonly #write = async (bytes: Uint8Array, offset: number) => {
    try {
      await writeFullyAsync(this.fd, bytes, offset);
    } catch (error) {
      throw ioError(this.name, COPY_FAILED, error);
    }
  };
}

/** Joins ranges that are near each other and splits those that exceed MAX_REQUEST_BYTES. */
function requestsFor(ranges: readonly ByteRange[]): ByteRange[] {
  const joined: ByteRange[] = [];
  for (const { start, end } of ranges) {
    const before = joined.at(-1);
    if (before && start - before.end <= MAX_GAP_BYTES) before.end = end;
    else joined.push({ start, end });
  }
  return joined.flatMap(({ start, end }) => {
    const pieces: ByteRange[] = [];
    for (let at = start; at < end; at += MAX_REQUEST_BYTES)
      pieces.push({ start: at, end: Math.min(end, at + MAX_REQUEST_BYTES) });
    return pieces;
  });
}
