import { Worker } from "node:worker_threads";
import { framed, schemaMessage } from "../../arrow/encode-messages.js";
import type { Field } from "../../arrow/field.js";
import { AbortedError, InputFormatError } from "../../errors.js";
import { AnonymousFile } from "../../io/anonymous-file.js";
import { writeFully } from "../../io/positional.js";
import {
  ioError,
  outputCall,
  systemErrorOf,
  systemFailure,
} from "../../io/system-error.js";
import { encodeThrift } from "../../io/thrift.js";
import { type Failure, failureError } from "../../tasks/failure.js";
import {
  ARROW_SCHEMA,
  FILE_METADATA,
  type FileMetadata,
  logicalKind,
  type RowGroup,
  type SchemaElement,
  type SchemaNode,
} from "../../tasks/parquet-metadata.js";
import {
  type DecodedBatch,
  type ParquetReply,
  type ParquetSetup,
  STREAM_BYTES,
} from "../../tasks/parquet-tasks.js";
import { arrowContainer } from "../arrow-container.js";
import type { Block } from "../arrow-metadata.js";
import type { OpenOptions } from "../logits-file.js";
import { type InputFile, requireInput } from "../read-input.js";
import type { ArrowContainer, ColumnPath } from "../record-batches.js";
import { selectColumns } from "../select-columns.js";
import {
  type ParquetFooter,
  readFooter,
  WRITE_AGAIN,
} from "./parquet-footer.js";

/** The built thread, beside the bundle that this module is part of. */
const WORKER_URL = new URL("./parquet.js", import.meta.url);

/** Decoder module, compiled by the first thread and reused by others. It has no state; each thread has its own memory. */
let decoder: WebAssembly.Module | null = null;

/**
 * Decodes the columns that a run needs to an Arrow stream in an anonymous file (in `scratch`), of which several threads append
 * the record batches of whole row groups. The Parquet file stays open, so that no other file gets its inode.
 *
 * Separate threads decode, because damaged files can crash the decoder or make it run forever; a thread can be terminated.
 * @throws InputFormatError, InputUnsupportedError, LogitsColumnError, IoError, AbortedError
 */
export async function parquetAsArrow(
  file: InputFile,
  options: OpenOptions,
): Promise<ArrowContainer> {
  const { path } = file;
  const footer = readFooter(file);
  const { fields } = footer;
  const { indices, nested } = selectColumns(path, fields, options);
  const needed = indices.map((k) => nested[k - fields.length] ?? [k]);
  // The threads read any part of the file.
  requireInput(file, [{ start: 0, end: file.bytes }]);
  const open = () => new AnonymousFile(options.scratch);
  const target = outputCall(path, COPY_FAILED, open);
  try {
    if (options.isSample) footer.metadata = sampleOf(footer.metadata);
    const projected = projectFooter(footer, needed);
    const shared = new BigInt64Array(
      new SharedArrayBuffer(2 * BigInt64Array.BYTES_PER_ELEMENT),
    );
    const setup = {
      ...{ fd: file.fd, target: target.fd, tailStart: footer.start },
      ...{ ...projected, shared, decoder, isExtra: false },
    };
    const threads = threadsFor(projected.rowGroups, options.threads ?? 1);
    const batches = await decode(path, setup, threads, options.signal);
    const end = Number(shared[STREAM_BYTES]);
    outputCall(path, COPY_FAILED, () =>
      writeFully(target.fd, END_OF_STREAM, end),
    );
    const decoded = {
      ...file,
      fd: target.fd,
      bytes: end + END_OF_STREAM.length,
      present: null,
      close: () => {
        target.close();
        file.close();
      },
    };
    const container = arrowContainer(decoded, "parquet");
    const order = new Map(batches.map(({ offset }, k) => [offset, k]));
    const orderOf = ({ offset }: Block) => order.get(offset) as number;
    const recordBatches = container.recordBatches.toSorted(
      (a, b) => orderOf(a) - orderOf(b),
    );
    return { ...container, recordBatches };
  } catch (error) {
    target.close();
    throw error;
  }
}

const END_OF_STREAM = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0);

/** Memory of all threads, unless one row group needs more. */
const MAX_BYTES = 512 << 20;
/** Memory of a thread without its row group. */
const THREAD_BYTES = 64 << 20;
/** Times that the decoder holds the bytes of a row group. */
const COPIES = 3;
/** Bytes that a thread should decode at least: it takes 0.1 s to start. */
const LEAST_BYTES = 8 << 20;

/** Returns the number of threads that decode, up to `most`. */
function threadsFor(
  rowGroups: readonly Pick<RowGroup, "chunks">[],
  most: number,
): number {
  const sizes = rowGroups.map(({ chunks }) =>
    chunks.reduce((sum, { bytes }) => sum + bytes, 0),
  );
  const largest = sizes.reduce((a, b) => Math.max(a, b), 0);
  const total = sizes.reduce((a, b) => a + b, 0);
  const threads = Math.min(
    ...[most, rowGroups.length, total / LEAST_BYTES],
    MAX_BYTES / (THREAD_BYTES + COPIES * largest),
  );
  return Math.max(1, Math.floor(threads));
}

/** Returns the metadata with only the first row group that has rows. */
function sampleOf(metadata: FileMetadata): FileMetadata {
  const first = metadata.rowGroups.find(({ rows }) => rows > 0);
  const rowGroups = first ? [first] : [];
  return { ...metadata, rows: first?.rows ?? 0, rowGroups };
}

/** Decodes in threads, and returns the record batches, in order, after the threads have ended. */
async function decode(
  path: string,
  setup: ParquetSetup,
  count: number,
  signal: AbortSignal | undefined,
): Promise<DecodedBatch[]> {
  const checkSignal = () => {
    if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
  };
  checkSignal();
  const first = startThread(path, setup);
  const threads = [first];
  const end = () =>
    Promise.all(threads.map(({ worker }) => worker.terminate()));
  signal?.addEventListener("abort", end);
  try {
    await first.ready;
    while (decoder && threads.length < count && !signal?.aborted)
      threads.push(startThread(path, { ...setup, decoder, isExtra: true }));
    const ends = await Promise.allSettled(
      threads.map(({ batches }) => batches),
    );
    checkSignal();
    const failures = ends.flatMap((end): GroupFailure[] =>
      end.status === "rejected" ? [end.reason] : [],
    );
    const [failure] = failures.sort((a, b) => a.rowGroup - b.rowGroup);
    if (failure) throw failure.error;
    const batches = ends.flatMap((end) =>
      end.status === "fulfilled" ? end.value : [],
    );
    const decoded = new Set(batches.map(({ rowGroup }) => rowGroup));
    const lost = setup.rowGroups.findIndex(
      ({ rows }, k) => rows > 0 && !decoded.has(k),
    );
    if (lost >= 0) throw damage(path, ` (row group ${lost} is missing)`);
    return batches.sort(
      (a, b) => a.rowGroup - b.rowGroup || a.offset - b.offset,
    );
  } finally {
    signal?.removeEventListener("abort", end);
    // The threads may be using the descriptors, so they must not be closed before they have ended.
    await end();
  }
}

interface GroupFailure {
  /** Row group that failed first; -1 for a failure that concerns the file. */
  rowGroup: number;
  error: Error;
}

/** Starts a thread. `ready` is fulfilled when the decoder is compiled or the thread has ended; `batches` rejects with GroupFailure. */
function startThread(path: string, setup: ParquetSetup) {
  const worker = openThread(setup);
  const batches = new Promise<DecodedBatch[]>((resolve, reject) => {
    const fail = (error: Error, rowGroup = -1) => reject({ rowGroup, error });
    worker.on("error", (error) => {
      const reason = `, or too large for the decoder (${error.message})`;
      const failure = threadError(error);
      if (failure && setup.isExtra) resolve([]);
      else fail(failure ?? damage(path, reason, error));
    });
    worker.on("exit", () => fail(damage(path, " (the decoder stopped)")));
    worker.on("message", (reply: ParquetReply) => {
      if (reply.kind === "decoder") decoder = reply.decoder;
      else if (reply.kind === "done") resolve(reply.batches);
      else fail(errorOf(path, reply.failure), reply.rowGroup);
    });
  });
  const ready = setup.decoder
    ? Promise.resolve()
    : new Promise<void>((resolve) => {
        worker.once("message", () => resolve());
        worker.once("exit", () => resolve());
      });
  batches.catch(() => {});
  return { worker, batches, ready };
}

function damage(path: string, reason: string, cause?: unknown): Error {
  const text = `could not be decoded: it is damaged${reason}; ${CONVERT}`;
  return new InputFormatError(path, DATA, text, { cause });
}

// Node throws if the system cannot create a thread; it reports other failures as events.
function openThread(workerData: ParquetSetup): Worker {
  try {
    return new Worker(WORKER_URL, { workerData });
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

const COPY_FAILED = "could not be decoded to a temporary file";

const FORMAT_VERSION = 2;

/**
 * Returns the end of a file with only some columns and the fields that decoding needs, and its row groups. The decoder gets this
 * footer instead of the file's, because it rejects whole files for columns and statistics that no run reads.
 */
function projectFooter(
  { metadata: { schema, rows, rowGroups }, arrowFields }: ParquetFooter,
  paths: readonly ColumnPath[],
): Pick<ParquetSetup, "tail" | "rowGroups"> {
  const elements: SchemaElement[] = [];
  const nodes = new Set<SchemaNode>();
  const add = (node: SchemaNode, paths: readonly ColumnPath[]) => {
    const children = onPaths(node.children, paths);
    elements.push(schemaElement(node, children.length));
    nodes.add(node);
    for (const [child, rest] of children) add(child, rest);
  };
  add(schema, paths);
  const projected = rowGroups.map(({ rows, chunks }) => ({
    rows,
    chunks: chunks.filter(({ leaf }) => nodes.has(leaf)),
  }));
  const value = arrowFields && arrowSchema(projectFields(arrowFields, paths));
  const footer = encodeThrift(FILE_METADATA, {
    version: FORMAT_VERSION,
    schema: elements,
    rows,
    rowGroups: projected.map(({ rows, chunks }) => ({
      rows,
      bytes: chunks.reduce((sum, { decodedBytes }) => sum + decodedBytes, 0),
      // Encodings are stated by the pages, and paths by the schema.
      columns: chunks.map((chunk) => ({
        fileOffset: 0,
        metadata: {
          ...chunk,
          encodings: [],
          dictionary: chunk.dictionary > 0 ? chunk.dictionary : undefined,
        },
      })),
    })),
    keyValues: value === null ? undefined : [{ key: ARROW_SCHEMA, value }],
  });
  const length = Buffer.alloc(4);
  length.writeUInt32LE(footer.length);
  const tail = Buffer.concat([footer, length, Buffer.from("PAR1")]);
  return { tail, rowGroups: projected };
}

/** Returns the children on the paths, each with the rest of its paths; all children if a path ends at the parent. */
function onPaths<Child>(
  children: readonly Child[],
  paths: readonly ColumnPath[],
): [child: Child, rest: ColumnPath[]][] {
  if (paths.some(({ length }) => length === 0))
    return children.map((child) => [child, [[]]]);
  const rests = new Map<number, ColumnPath[]>();
  for (const [k = -1, ...rest] of paths) {
    const others = rests.get(k);
    if (others) others.push(rest);
    else rests.set(k, [rest]);
  }
  return children.flatMap((child, k): [Child, ColumnPath[]][] => {
    const rest = rests.get(k);
    return rest ? [[child, rest]] : [];
  });
}

/**
 * Returns the schema element of a node, without logical types VARIANT, GEOMETRY and GEOGRAPHY (logicalKind 0):
 * their values are read as stored.
 */
function schemaElement(node: SchemaNode, childCount: number): SchemaElement {
  const isLeaf = node.type !== undefined;
  return {
    ...node,
    childCount: isLeaf ? undefined : childCount,
    logical: logicalKind(node) > 0 ? node.logical : undefined,
  };
}

function projectFields(fields: Field[], paths: readonly ColumnPath[]): Field[] {
  return onPaths(fields, paths).map(([field, rest]) => ({
    ...field,
    children: projectFields(field.children, rest),
  }));
}

function arrowSchema(fields: Field[]): string {
  const message = framed(schemaMessage(fields, []), 0);
  return Buffer.from(message).toString("base64");
}
