import type {
  ParquetReply,
  ParquetSetup,
} from "../src/input/parquet/protocol.js";
import { ParquetFailure } from "./parquet-failure.js";
import { readParquet } from "./parquet-read.js";

/** The part of a Blob that the decoder uses. */
interface BlobLike {
  size: number;
  slice(start: number, end: number): BlobLike;
  arrayBuffer(): Promise<ArrayBuffer>;
}

/**
 * A file that is open, as the decoder wants it: ranges are read when it asks for their bytes. The footer is the one that
 * was given. The decoder does not survive a read that fails, so `reply` is told of it first.
 */
export function fileAsBlob(
  { fd, bytes, footer, footerStart }: ParquetSetup,
  reply: (message: ParquetReply) => void,
): Blob {
  const range = (start: number, end: number): BlobLike => ({
    size: end - start,
    slice: (from, to) => range(start + from, Math.min(start + to, end)),
    arrayBuffer: async () => {
      const target = new Uint8Array(end - start);
      try {
        readParquet(fd, target, start);
      } catch (error) {
        if (error instanceof ParquetFailure) reply(error.reply);
        throw error;
      }
      overlay(target, start, footer, footerStart);
      return target.buffer;
    },
  });
  return range(0, bytes) as Blob;
}

/** Puts what of `source` (at `sourceStart` in the file) lies in `target` (at `start`) there. */
function overlay(
  target: Uint8Array,
  start: number,
  source: Uint8Array,
  sourceStart: number,
): void {
  const from = Math.max(start, sourceStart);
  const to = Math.min(
    start + target.byteLength,
    sourceStart + source.byteLength,
  );
  if (from < to)
    target.set(
      source.subarray(from - sourceStart, to - sourceStart),
      from - start,
    );
}
