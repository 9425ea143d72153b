import { Worker } from "node:worker_threads";
import type { Field } from "../../arrow/field.js";
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
import { decoding } from "../arrow-message.js";
import { decodeMessage } from "../arrow-metadata.js";
import type { InputFile } from "../input-file.js";
import { overLimit } from "../limits.js";
import type { OpenOptions } from "../logits-file.js";
import { requireInput } from "../read-input.js";
import { neededColumns } from "./needed-columns.js";
import { type ParquetFooter, readFooter } from "./parquet-footer.js";
import { usePlainTypes } from "./plain-types.js";
import type { ParquetReply, ParquetRequest, ParquetSetup } from "./protocol.js";

/** Where the built thread stands, beside the bundle that this module is part of. */
const WORKER_URL = new URL("./parquet.js", import.meta.url);

/** The decoder, once a thread has compiled it. It has no state: each thread has a memory of its own. */
let decoder: WebAssembly.Module | null = null;

/**
 * What a run needs of a Parquet file, as an Arrow stream in a file without a name (in `scratch`): columns that are not
 * asked for are not decoded, and no more than one row group is in memory. The Parquet file stays open, so that nothing else has its inode.
 *
 * A thread of its own decodes: damage can make the decoder fail where nobody could catch it, or never end, and a thread
 * can be given up, with its memory.
 * @throws InputFormatError, InputUnsupportedError, LogitsColumnError, IoError, AbortedError
 */
export async function parquetAsArrow(
  file: InputFile,
  options: OpenOptions,
): Promise<InputFile> {
  const { path } = file;
  const footer = readFooter(file);
  usePlainTypes(footer.bytes);
  // Its thread reads where it likes.
  requireInput(file, [{ start: 0, end: file.bytes }]);
  const target = openTarget(path, options.scratch);
  try {
    const setup = setupOf(file, footer, target.fd);
    const streamBytes = await decode(file, setup, options.signal, (fields) => ({
      columns: neededColumns(path, fields, options),
    }));
    return {
      path,
      fd: target.fd,
      bytes: streamBytes,
      limits: file.limits,
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

/** The columns of a Parquet file as Arrow has them. @throws as parquetAsArrow */
export async function parquetFields(
  file: InputFile,
  footer: ParquetFooter,
  signal: AbortSignal | undefined,
): Promise<Field[]> {
  let found: Field[] = [];
  usePlainTypes(footer.bytes);
  await decode(file, setupOf(file, footer, -1), signal, (fields) => {
    found = fields;
    return null;
  });
  return found;
}

function setupOf(
  { fd, bytes, limits }: InputFile,
  footer: ParquetFooter,
  target: number,
): ParquetSetup {
  return {
    fd,
    bytes,
    footer: footer.bytes,
    footerStart: footer.start,
    rowGroups: footer.rowGroups,
    target,
    maxBytes: limits.maxDecodedBytes,
    decoder,
  };
}

/**
 * Lets the thread decode what is asked for once the schema is known (null: nothing); returns how many bytes the stream
 * has, once the thread has ended.
 */
async function decode(
  file: InputFile,
  setup: ParquetSetup,
  signal: AbortSignal | undefined,
  ask: (fields: Field[]) => ParquetRequest | null,
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
            "Parquet data",
            `could not be decoded: ${reason}`,
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
        try {
          if (reply.kind === "decoder") decoder = reply.decoder;
          else if (reply.kind === "done") resolve(reply.bytes);
          else if (reply.kind !== "schema") throw errorOf(file, reply);
          else {
            const request = ask(fieldsOf(file, reply.stream));
            if (request) worker.postMessage(request);
            else resolve(0);
          }
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

function fieldsOf({ path, limits }: InputFile, stream: Uint8Array): Field[] {
  const view = new DataView(stream.buffer, stream.byteOffset);
  const { schema } = decoding(path, "schema", () =>
    decodeMessage(stream.subarray(8, 8 + view.getInt32(4, true)), limits),
  );
  return schema?.fields ?? [];
}

type Failure = Exclude<ParquetReply, { kind: "decoder" | "schema" | "done" }>;

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
      return new InputFormatError(path, failure.where, failure.text);
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
