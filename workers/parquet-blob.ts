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
 * Returns an open file as the decoder wants it, which reads ranges when it needs them: the file's own bytes up to the
 * footer, then the tail that was given. The decoder does not survive a read that fails, so `reply` is called first.
 */
export function fileAsBlob(
  { fd, tail, tailStart }: ParquetSetup,
  reply: (message: ParquetReply) => void,
): Blob {
  const range = (start: number, end: number): BlobLike => ({
    size: end - start,
    slice: (from, to) => range(start + from, Math.min(start + to, end)),
    arrayBuffer: async () => {
      const target = new Uint8Array(end - start);
      const split = Math.min(Math.max(tailStart - start, 0), target.length);
      try {
        readParquet(fd, target.subarray(0, split), start);
      } catch (error) {
        if (error instanceof ParquetFailure) reply(error.reply);
        throw error;
      }
      const from = Math.max(start - tailStart, 0);
      target.set(tail.subarray(from, Math.max(end - tailStart, 0)), split);
      return target.buffer;
    },
  });
  return range(0, tailStart + tail.byteLength) as Blob;
}
