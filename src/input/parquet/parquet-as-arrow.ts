import { Worker } from "node:worker_threads";
import {
  AbortedError,
  InputFormatError,
  InputUnsupportedError,
} from "../../errors.js";
import { UnnamedFile } from "../../io/unnamed-file.js";
import {
  inputError,
  ioError,
  outputCall,
  systemErrorOf,
  systemFailure,
} from "../../system-error.js";
import type { ColumnPath } from "../column-spans.js";
import type { InputFile } from "../input-file.js";
import { LIMITS, overLimit } from "../limits.js";
import type { OpenOptions } from "../logits-file.js";
import { requireInput } from "../read-input.js";
import type { FileMetadata } from "./file-metadata.js";
import { neededColumns } from "./needed-columns.js";
import {
  type ParquetFooter,
  readFooter,
  WRITE_AGAIN,
} from "./parquet-footer.js";
import { projectFooter } from "./project-footer.js";
import type { ParquetReply, ParquetSetup } from "./protocol.js";

/** The built thread, beside the bundle that this module is part of. */
const WORKER_URL = new URL("./parquet.js", import.meta.url);

/** The decoder, once a thread has compiled it. It has no state: each thread has its own memory. */
let decoder: WebAssembly.Module | null = null;

/**
 * Decodes the columns of a Parquet file that a run needs to an Arrow stream in an anonymous file (in `scratch`), one row
 * group at a time. The Parquet file stays open, so that no other file gets its inode.
 *
 * A thread decodes: damage can make the decoder fail where nobody could catch it, or never end, and a thread can be
 * abandoned together with its memory.
 * @throws InputFormatError, InputUnsupportedError, LogitsColumnError, IoError, AbortedError
 */
export async function parquetAsArrow(
  file: InputFile,
  options: OpenOptions,
): Promise<InputFile> {
  const { path } = file;
  const footer = readFooter(file);
  const paths = neededColumns(path, footer.fields, options);
  // The thread reads any part of the file.
  requireInput(file, [{ start: 0, end: file.bytes }]);
  const target = openTarget(path, options.scratch);
  try {
    if (options.isSample) footer.metadata = sampleOf(footer.metadata);
    const setup = setupOf(file, footer, paths, target.fd);
    const bytes = await decode(file, setup, options.signal);
    return {
      path,
      fd: target.fd,
      bytes,
      present: null,
      source: file.source,
      close: () => {
        target.close();
        file.close();
      },
    };
  } catch (error) {
    target.close();
    throw error;
  }
}

/** Returns the metadata of a file that has only its first row group with rows. */
function sampleOf(metadata: FileMetadata): FileMetadata {
  const first = metadata.rowGroups.find(({ rows }) => rows > 0);
  const rowGroups = first ? [first] : [];
  return { ...metadata, rows: first?.rows ?? 0, rowGroups };
}

function setupOf(
  { fd }: InputFile,
  { start, metadata, arrowFields }: ParquetFooter,
  paths: readonly ColumnPath[],
  target: number,
): ParquetSetup {
  const { footer, rowGroups } = projectFooter(metadata, paths, arrowFields);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(footer.length);
  return {
    fd,
    tail: Buffer.concat([footer, length, Buffer.from("PAR1")]),
    tailStart: start,
    rowGroups,
    target,
    maxBytes: LIMITS.maxDecodedBytes,
    decoder,
  };
}

/** Lets a thread decode; returns the size of the stream, once the thread has ended. */
async function decode(
  file: InputFile,
  setup: ParquetSetup,
  signal: AbortSignal | undefined,
): Promise<number> {
  const { path } = file;
  if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
  const worker = openThread(setup);
  let stop = () => {};
  try {
    return await new Promise((resolve, reject) => {
      stop = () => reject(new AbortedError({ cause: signal?.reason }));
      signal?.addEventListener("abort", stop);
      const fail = (reason: string, cause?: unknown) =>
        reject(
          new InputFormatError(
            path,
            DATA,
            `could not be decoded: ${reason}; ${CONVERT}`,
            { cause },
          ),
        );
      worker.on("error", (error) => {
        const known = threadError(error);
        if (known) reject(known);
        else
          fail(
            `it is damaged, or too large for the decoder (${error.message})`,
            error,
          );
      });
      worker.on("exit", () => fail("it is damaged (the decoder stopped)"));
      worker.on("message", (reply: ParquetReply) => {
        if (reply.kind === "decoder") decoder = reply.decoder;
        else if (reply.kind === "done") resolve(reply.bytes);
        else reject(errorOf(file, reply));
      });
    });
  } finally {
    signal?.removeEventListener("abort", stop);
    // It may be reading or writing: the descriptors are its own until it has ended.
    await worker.terminate();
  }
}

/** Node throws where the system has no thread, and reports most else as an event. */
function openThread(workerData: ParquetSetup): Worker {
  try {
    return new Worker(WORKER_URL, { workerData });
  } catch (error) {
    throw threadError(error) ?? error;
  }
}

/** Returns the error for a thread that could not be started; null where it failed at what it read. */
function threadError(error: unknown): Error | null {
  const failure = systemFailure(error);
  return (
    failure &&
    ioError(
      "Parquet decoder",
      "could not be started",
      failure.path ? systemErrorOf(failure) : error,
    )
  );
}

/** Location in the messages of the decoder's own errors. */
const DATA = "Parquet data";
const CONVERT = `if other tools can read it, convert it: duckdb -c "copy (from 'x.parquet') to 'y.parquet'"`;

type Failure = Exclude<ParquetReply, { kind: "decoder" | "done" }>;

function errorOf(file: InputFile, failure: Failure): Error {
  const { path } = file;
  switch (failure.kind) {
    case "large":
      return overLimit(
        file,
        "row groups",
        "maxDecodedBytes",
        "decoded bytes",
        failure.bytes,
      );
    case "damaged":
      return new InputFormatError(
        path,
        failure.where,
        `${failure.text}; ${failure.where === DATA ? CONVERT : WRITE_AGAIN}`,
      );
    case "unsupported":
      return new InputUnsupportedError(path, failure.where, failure.text);
    case "failed":
      return failure.task === "read"
        ? inputError(path, "could not be read", systemErrorOf(failure))
        : ioError(path, KEPT, systemErrorOf(failure));
  }
}

const KEPT = "could not be decoded to a temporary file";

function openTarget(path: string, scratch?: string): UnnamedFile {
  return outputCall(path, KEPT, () => new UnnamedFile(scratch));
}
