import { pooled } from "../../io/pooled.js";
import {
  AbsentBytes,
  BLOCK_BYTES,
  type ByteRange,
  PresentBlocks,
} from "../../io/present-blocks.js";
import { UnnamedFile } from "../../io/unnamed-file.js";
import { writeBehind } from "../../io/write-behind.js";
import { ioError } from "../../system-error.js";
import { type S3Place, s3Name } from "../location.js";
import { inFlight } from "./in-flight.js";
import type { ObjectState, Objects } from "./objects.js";

/** One request asks for at most so much, of what is no further apart than the gap. */
const REQUEST_BYTES = 8 * 2 ** 20;
const GAP_BYTES = 4 * BLOCK_BYTES;
const REQUESTS_AT_ONCE = 6;

/**
 * An object as a file of this machine without a name, which has holes where nothing has been fetched. Threads read their
 * bytes by position, each for itself and at once, as they do of any file: that takes a descriptor, which no stream has.
 * Only what is needed is fetched, and it goes from the connection to the disk: in memory are some pieces of each answer.
 */
export class StagedObject {
  readonly present: PresentBlocks;
  readonly #file: UnnamedFile;
  /** Where the last range that was missed has ended, and how much was fetched with it. */
  #last = { end: -1, bytes: 0 };

  /** @throws IoError where there is no room for it */
  constructor(
    private readonly objects: Objects,
    readonly place: S3Place,
    readonly state: Pick<ObjectState, "bytes" | "etag">,
    /** Directory whose file system takes it; default: that for temporary files. */
    readonly scratch?: string,
  ) {
    this.#file = this.#keeping(() => new UnnamedFile(scratch));
    this.#keeping(() => this.#file.reserve(state.bytes));
    this.present = new PresentBlocks(state.bytes);
  }

  get fd(): number {
    return this.#file.fd;
  }

  /** Fetches what is not there of some ranges. @throws SoftjacError; refused for "condition" where it is another object */
  async fetch(
    ranges: readonly ByteRange[],
    signal?: AbortSignal,
  ): Promise<void> {
    const requests = requestsFor(this.present.missing(ranges));
    const { etag } = this.state;
    await pooled(requests, REQUESTS_AT_ONCE, async (range) => {
      await this.objects.readRange(
        this.place,
        { ...range, etag },
        (bytes, at) =>
          inFlight.hold(bytes.byteLength, () => this.#write(bytes, at)),
        signal,
      );
      this.present.add(range);
    });
  }

  /** What `work` makes of the file; it is done again where it has met bytes that were not there, once they are. */
  async reading<T>(
    work: () => T | Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    for (;;)
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof AbsentBytes)) throw error;
        await this.fetch(this.#ahead(error.ranges), signal);
      }
  }

  close(): void {
    this.#file.close();
  }

  /** Who reads on and on gets more each time: up to a whole request, as from a disk. */
  #ahead(ranges: readonly ByteRange[]): readonly ByteRange[] {
    const [range] = ranges;
    if (!range || ranges.length > 1) return ranges;
    const readsOn = range.start <= this.#last.end && range.end > this.#last.end;
    const bytes = readsOn
      ? Math.min(REQUEST_BYTES, 2 * this.#last.bytes)
      : BLOCK_BYTES;
    const end = Math.min(
      this.state.bytes,
      Math.max(range.end, range.start + bytes),
    );
    this.#last = { end: Math.ceil(end / BLOCK_BYTES) * BLOCK_BYTES, bytes };
    return [{ start: range.start, end }];
  }

  async #write(bytes: Uint8Array, at: number): Promise<void> {
    try {
      await writeBehind(this.fd, bytes, at);
    } catch (error) {
      throw this.#keepError(error);
    }
  }

  #keeping<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      throw this.#keepError(error);
    }
  }

  #keepError(cause: unknown): unknown {
    const name = s3Name(this.place.bucket, this.place.key);
    return ioError(name, "could not be copied to a temporary file", cause);
  }
}

/** Ranges, of which some are near each other and some are long, as requests. */
function requestsFor(ranges: readonly ByteRange[]): ByteRange[] {
  const joined: ByteRange[] = [];
  for (const { start, end } of ranges) {
    const before = joined.at(-1);
    if (before && start - before.end <= GAP_BYTES) before.end = end;
    else joined.push({ start, end });
  }
  return joined.flatMap(({ start, end }) =>
    Array.from(
      { length: Math.ceil((end - start) / REQUEST_BYTES) },
      (_, k) => ({
        start: start + k * REQUEST_BYTES,
        end: Math.min(end, start + (k + 1) * REQUEST_BYTES),
      }),
    ),
  );
}
