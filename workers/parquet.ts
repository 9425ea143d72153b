// Thread that decodes columns of Parquet files to Arrow messages.
import { parentPort } from "node:worker_threads";
import { initSync, ParquetFile } from "parquet-wasm/esm";
import { systemFailure } from "../src/io/system-error.js";
import type { ParquetReply, ParquetSetup } from "../src/tasks/parquet-tasks.js";
import { readParquet } from "./parquet-pages.js";
import { decodeUnits, UnitError } from "./parquet-to-arrow.js";
import { damaged, TaskFailure } from "./slot-bytes.js";

/** Size from which the garbage collector frees buffers soon enough. */
const LARGE_BYTES = 16 << 20;

/** Maximum length of a quoted error; the decoder may quote any amount of data. */
const MAX_TEXT = 300;

const reply = (message: ParquetReply) => parentPort?.postMessage(message);

parentPort?.on("message", decode);

async function decode(setup: ParquetSetup): Promise<void> {
  try {
    loadDecoder(setup);
    const reads: ArrayBuffer[] = [];
    const open = (column: number) =>
      ParquetFile.fromFile(fileAsBlob(setup, column, reads));
    const messages = await decodeUnits(setup, open, reads);
    reply({ kind: "done", messages });
  } catch (thrown) {
    const isOfUnit = thrown instanceof UnitError;
    const unit = isOfUnit ? thrown.unit : -1;
    const error = isOfUnit ? thrown.cause : thrown;
    const failed = systemFailure(error);
    const { failure } =
      error instanceof TaskFailure
        ? error
        : failed
          ? new TaskFailure({ kind: "io", side: "input", ...failed })
          : damaged("Parquet data", `could not be decoded: ${oneLine(error)}`);
    reply({ kind: "failed", unit, failure });
  }
}

/** Loads the decoder. Its errors are not reported as damage, because nothing has been read yet. */
function loadDecoder({ decoder }: ParquetSetup): void {
  try {
    // Has no effect if the thread has loaded it for an earlier file.
    initSync({ module: decoder });
  } catch (error) {
    const failed = systemFailure(error) ?? { code: "ENOMEM" };
    throw new TaskFailure({ kind: "io", side: "output", ...failed });
  }
}

function oneLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/\s+/g, " ").slice(0, MAX_TEXT);
}

/** The part of a Blob that the decoder uses. */
interface BlobLike {
  size: number;
  slice(start: number, end: number): BlobLike;
  arrayBuffer(): Promise<ArrayBuffer>;
}

/**
 * Returns an open file as the Blob that the decoder reads ranges of: the bytes of the file up to its footer, then the tail of a
 * column.
 * The decoder aborts the thread if a read fails, so the failure is sent first.
 * @param reads receives the smaller buffers that the decoder has been given, which can be freed once it has decoded a batch
 */
function fileAsBlob(
  { fd, tails, tailStart }: ParquetSetup,
  column: number,
  reads: ArrayBuffer[],
): Blob {
  const tail = tails[column] as Uint8Array;
  const range = (start: number, end: number): BlobLike => ({
    size: end - start,
    slice: (from, to) => range(start + from, Math.min(start + to, end)),
    arrayBuffer: async () => {
      const target = new Uint8Array(end - start);
      const split = Math.min(Math.max(tailStart - start, 0), target.length);
      try {
        readParquet(fd, target.subarray(0, split), start);
      } catch (error) {
        if (error instanceof TaskFailure)
          reply({ kind: "failed", unit: -1, failure: error.failure });
        throw error;
      }
      const from = Math.max(start - tailStart, 0);
      target.set(tail.subarray(from, Math.max(end - tailStart, 0)), split);
      // A reference would keep a large buffer in memory while the column is decoded.
      if (target.length < LARGE_BYTES) reads.push(target.buffer);
      return target.buffer;
    },
  });
  return range(0, tailStart + tail.byteLength) as Blob;
}
