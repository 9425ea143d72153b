import { readFile } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import { AbortedError, InputFormatError } from "../../errors.js";
import { COPY_FAILED } from "../../io/anonymous-file.js";
import {
  addressSpaceLimit,
  ioError,
  systemErrorOf,
  systemFailure,
  WASM_ADDRESS_BYTES,
} from "../../io/system-error.js";
import { type Failure, failureError } from "../../tasks/failure.js";
import {
  type DecodedMessage,
  type ParquetReply,
  type ParquetSetup,
  TARGET_BYTES,
} from "../../tasks/parquet-tasks.js";
import type { OpenOptions } from "../logits-file.js";
import { WRITE_AGAIN } from "./parquet-footer.js";

/** The built thread, beside the bundle that this module is part of. */
const WORKER_URL = new URL("./parquet.js", import.meta.url);

/** Decoder module, which all threads share. It has no state; each thread has its own memory. */
let decoder: WebAssembly.Module | null = null;

/** Compiles the decoder (5 MB) for the first file, which takes as long as decoding a small file. @throws IoError */
async function loadDecoder(path: string): Promise<WebAssembly.Module> {
  try {
    const url = new URL("./parquet.wasm", import.meta.url);
    decoder ??= await WebAssembly.compile(await readFile(url));
    return decoder;
  } catch (error) {
    const failure = systemFailure(error) ?? { code: "ENOMEM" };
    throw ioError(path, COPY_FAILED, systemErrorOf(failure));
  }
}

/** Memory of all threads, unless one column needs more. */
const MAX_BYTES = 512 << 20;
/** Memory of a thread without its column. */
const THREAD_BYTES = 64 << 20;
/** Times that the decoder holds the bytes of a column in a row group. */
const COPIES = 3;
/** Address space of the process beside the memory of the decoders. */
const PROCESS_BYTES = 6 * 2 ** 30;
/** Bytes that a thread should decode at least: it takes 0.1 s to start. */
const LEAST_BYTES = 8 << 20;

/** Returns the sizes in the file of the columns of each row group. */
function sizesOf({ rowGroups }: Pick<ParquetSetup, "rowGroups">): number[] {
  return rowGroups.flatMap(({ columns }) =>
    columns.map((chunks) => chunks.reduce((sum, { bytes }) => sum + bytes, 0)),
  );
}

/** Returns the number of threads that decode columns of these sizes, up to `most`. */
function threadsFor(sizes: readonly number[], most: number): number {
  const largest = sizes.reduce((a, b) => Math.max(a, b), 0);
  const total = sizes.reduce((a, b) => a + b, 0);
  const threads = Math.min(
    ...[most, sizes.length, total / LEAST_BYTES],
    MAX_BYTES / (THREAD_BYTES + COPIES * largest),
    (addressSpaceLimit() - PROCESS_BYTES) / WASM_ADDRESS_BYTES,
  );
  return Math.max(1, Math.floor(threads));
}

/** Time after which a thread without work ends. */
const KEPT_MS = 1000;

/** Thread that has decoded a small file, for the next one: starting a thread takes longer than decoding a small file. */
let kept: { worker: Worker; timer: NodeJS.Timeout } | null = null;

function keepThread(worker: Worker): void {
  const end = () => {
    if (kept?.worker === worker) kept = null;
    void worker.terminate();
  };
  // A limit of the address space leaves no room for a thread without work.
  if (kept || addressSpaceLimit() < Number.POSITIVE_INFINITY) {
    end();
    return;
  }
  forget(worker);
  worker.on("error", end);
  worker.unref();
  kept = { worker, timer: setTimeout(end, KEPT_MS).unref() };
}

function takeThread(): Worker {
  if (!kept) return openThread();
  const { worker, timer } = kept;
  kept = null;
  clearTimeout(timer);
  forget(worker);
  worker.ref();
  return worker;
}

/** Removes the listeners of this module. Node has listeners of its own, for other events. */
function forget(worker: Worker): void {
  for (const event of ["message", "error", "exit"])
    worker.removeAllListeners(event);
}

/**
 * Decodes columns in several threads. Returns, after they have ended, the messages in order and the size of the target.
 * @throws InputFormatError, InputUnsupportedError, IoError, AbortedError
 */
export async function decodeColumns(
  path: string,
  files: Omit<ParquetSetup, "shared" | "decoder">,
  { threads: most = 1, signal }: Pick<OpenOptions, "threads" | "signal">,
): Promise<{ messages: DecodedMessage[]; bytes: number }> {
  const shared = new BigInt64Array(
    new SharedArrayBuffer(2 * BigInt64Array.BYTES_PER_ELEMENT),
  );
  const sizes = sizesOf(files);
  const count = threadsFor(sizes, most);
  const checkSignal = () => {
    if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
  };
  checkSignal();
  const isSmall = sizes.reduce((a, b) => a + b, 0) < LEAST_BYTES;
  const threads: ReturnType<typeof startThread>[] = [];
  const end = () =>
    Promise.all(threads.map(({ worker }) => worker.terminate()));
  signal?.addEventListener("abort", end);
  try {
    while (threads.length < count) threads.push(startThread(path));
    const setup = { ...files, shared, decoder: await loadDecoder(path) };
    for (const { worker } of threads) worker.postMessage(setup);
    const ends = await Promise.allSettled(
      threads.map(({ messages }) => messages),
    );
    checkSignal();
    const failures = ends.flatMap((end): UnitFailure[] =>
      end.status === "rejected" ? [end.reason] : [],
    );
    const [failure] = failures.sort((a, b) => a.unit - b.unit);
    if (failure) throw failure.error;
    const messages = ends.flatMap((end) =>
      end.status === "fulfilled" ? end.value : [],
    );
    messages.sort((a, b) => a.unit - b.unit || a.offset - b.offset);
    if (isSmall) for (const { worker } of threads.splice(0)) keepThread(worker);
    return { messages, bytes: Number(shared[TARGET_BYTES]) };
  } finally {
    signal?.removeEventListener("abort", end);
    // The threads may be using the descriptors, so they must not be closed before they have ended.
    await end();
  }
}

interface UnitFailure {
  /** Unit that failed first; -1 for a failure that concerns the file. */
  unit: number;
  error: Error;
}

/** Starts a thread, which waits for its setup. `messages` rejects with UnitFailure. */
function startThread(path: string) {
  const worker = takeThread();
  const messages = new Promise<DecodedMessage[]>((resolve, reject) => {
    const fail = (error: Error, unit = -1) => reject({ unit, error });
    worker.on("error", (error) => {
      const reason = `, or too large for the decoder (${error.message})`;
      fail(threadError(error) ?? damage(path, reason, error));
    });
    worker.on("exit", () => fail(damage(path, " (the decoder stopped)")));
    worker.on("message", (reply: ParquetReply) => {
      if (reply.kind === "done") resolve(reply.messages);
      else fail(errorOf(path, reply.failure), reply.unit);
    });
  });
  messages.catch(() => {});
  return { worker, messages };
}

function damage(path: string, reason: string, cause?: unknown): Error {
  const text = `could not be decoded: it is damaged${reason}; ${CONVERT}`;
  return new InputFormatError(path, DATA, text, { cause });
}

// Node throws if the system cannot create a thread; it reports other failures as events.
function openThread(): Worker {
  try {
    return new Worker(WORKER_URL);
  } catch (error) {
    throw threadError(error) ?? error;
  }
}

/** Returns the error for a thread that could not be started; null for other errors. */
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

/** Location in messages about errors of the decoder. */
const DATA = "Parquet data";
const CONVERT = `if other tools can read it, convert it: duckdb -c "copy (from 'x.parquet') to 'y.parquet'"`;

function errorOf(path: string, failure: Failure): Error {
  const files = { input: path, output: path, writing: COPY_FAILED };
  if (failure.kind !== "damaged") return failureError(failure, files);
  const advice = failure.where === DATA ? CONVERT : WRITE_AGAIN;
  const text = `${failure.text}; ${advice}`;
  return failureError({ ...failure, text }, files);
}
