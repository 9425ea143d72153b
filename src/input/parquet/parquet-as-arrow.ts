import { Worker } from "node:worker_threads";
import {
  AbortedError,
  InputFormatError,
  InputUnsupportedError,
  IoError,
} from "../../errors.js";
import { UnnamedFile } from "../../io/unnamed-file.js";
import { decoding } from "../arrow-message.js";
import { decodeMessage } from "../arrow-metadata.js";
import type { InputFile } from "../input-file.js";
import type { OpenOptions } from "../logits-file.js";
import { neededColumns } from "./needed-columns.js";
import { readFooter } from "./parquet-footer.js";
import { usePlainTypes } from "./plain-types.js";
import type { ParquetReply, ParquetRequest, ParquetSetup } from "./protocol.js";

/** Where the built thread stands, beside the bundle that this module is part of. */
const WORKER_URL = new URL("./parquet.js", import.meta.url);

/**
 * What a run needs of a Parquet file, as an Arrow stream in a file without a name (in `scratch`): columns that are not
 * asked for are not decoded, and no more than one row group is in memory. The Parquet file is closed once it is done.
 *
 * A thread of its own decodes: damage can make the decoder fail where nobody could catch it, or never end, and a thread
 * can be given up, with its memory.
 * @throws InputFormatError, InputUnsupportedError, LogitsColumnError, IoError, AbortedError
 */
export async function parquetAsArrow(
  file: InputFile,
  options: OpenOptions,
): Promise<InputFile> {
  const { path, fd, bytes } = file;
  const footer = readFooter(file);
  usePlainTypes(footer.bytes);
  const target = openTarget(path, options.scratch);
  try {
    const setup: ParquetSetup = {
      fd,
      bytes,
      footer: footer.bytes,
      footerStart: footer.start,
      rowGroups: footer.rowGroups,
      target: target.fd,
    };
    const streamBytes = await decode(path, setup, options);
    file.close();
    return {
      path,
      fd: target.fd,
      bytes: streamBytes,
      close: () => target.close(),
    };
  } catch (error) {
    target.close();
    throw error;
  }
}

/** Lets the thread decode; returns how many bytes the stream has, once the thread has ended. */
async function decode(
  path: string,
  setup: ParquetSetup,
  options: OpenOptions,
): Promise<number> {
  const { signal } = options;
  if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
  const worker = new Worker(WORKER_URL, { workerData: setup });
  let stop = () => {};
  try {
    return await new Promise((resolve, reject) => {
      stop = () => reject(new AbortedError({ cause: signal?.reason }));
      signal?.addEventListener("abort", stop);
      const found = (what: string, cause?: unknown) =>
        reject(
          new InputFormatError(
            path,
            "Parquet data",
            `expected row groups that can be decoded, found ${what}`,
            { cause },
          ),
        );
      worker.on("error", (error) =>
        found(
          `damage, or more than the decoder has room for (${error.message})`,
          error,
        ),
      );
      worker.on("exit", () => found("damage that the decoder gave up at"));
      worker.on("message", (reply: ParquetReply) => {
        try {
          if (reply.kind === "done") resolve(reply.bytes);
          else if (reply.kind !== "schema") throw errorOf(path, reply);
          else worker.postMessage(requestFor(path, reply.stream, options));
        } catch (error) {
          reject(error);
        }
      });
    });
  } finally {
    signal?.removeEventListener("abort", stop);
    // It may be reading or writing: the descriptors are its own until it has ended.
    await worker.terminate();
  }
}

function requestFor(
  path: string,
  stream: Uint8Array,
  options: OpenOptions,
): ParquetRequest {
  const view = new DataView(stream.buffer, stream.byteOffset);
  const { schema } = decoding(path, "schema", () =>
    decodeMessage(stream.subarray(8, 8 + view.getInt32(4, true))),
  );
  return { columns: neededColumns(path, schema?.fields ?? [], options) };
}

type Failure = Exclude<ParquetReply, { kind: "schema" | "done" }>;

function errorOf(path: string, failure: Failure): Error {
  switch (failure.kind) {
    case "damaged":
      return new InputFormatError(path, failure.where, failure.text);
    case "unsupported":
      return new InputUnsupportedError(path, failure.where, failure.text);
    case "failed":
      return ioError(path, failure.task, failure.code);
  }
}

function ioError(path: string, task: "read" | "kept", code: string): IoError {
  return new IoError(
    path,
    task === "read"
      ? `could not be read: ${code}`
      : `could not be kept while it is worked on: ${code}`,
  );
}

function openTarget(path: string, scratch?: string): UnnamedFile {
  try {
    return new UnnamedFile(scratch);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw code ? ioError(path, "kept", code) : cause;
  }
}
