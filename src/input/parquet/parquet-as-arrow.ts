import { Worker } from "node:worker_threads";
import { framed, schemaMessage } from "../../arrow/encode-messages.js";
import type { Field } from "../../arrow/field.js";
import { AbortedError, InputFormatError } from "../../errors.js";
import { AnonymousFile } from "../../io/anonymous-file.js";
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
  type SchemaElement,
  type SchemaNode,
} from "../../tasks/parquet-metadata.js";
import type { ParquetReply, ParquetSetup } from "../../tasks/parquet-tasks.js";
import type { OpenOptions } from "../logits-file.js";
import { type InputFile, requireInput } from "../read-input.js";
import type { ColumnPath } from "../record-batches.js";
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
 * Decodes the columns that a run needs to an Arrow stream in an anonymous file (in `scratch`), one row group at a time. The
 * Parquet file stays open, so that no other file gets its inode.
 *
 * A separate thread decodes, because damaged files can crash the decoder or make it run forever; a thread can be terminated.
 * @throws InputFormatError, InputUnsupportedError, LogitsColumnError, IoError, AbortedError
 */
export async function parquetAsArrow(
  file: InputFile,
  options: OpenOptions,
): Promise<InputFile> {
  const { path } = file;
  const footer = readFooter(file);
  const { fields } = footer;
  const { indices, nested } = selectColumns(path, fields, options);
  const needed = indices.map((k) => nested[k - fields.length] ?? [k]);
  // The thread reads any part of the file.
  requireInput(file, [{ start: 0, end: file.bytes }]);
  const target = outputCall(
    path,
    COPY_FAILED,
    () => new AnonymousFile(options.scratch),
  );
  try {
    if (options.isSample) footer.metadata = sampleOf(footer.metadata);
    const projected = projectFooter(footer, needed);
    const tailStart = footer.start;
    const files = { fd: file.fd, target: target.fd };
    const setup = { ...files, tailStart, ...projected, decoder };
    const bytes = await decode(path, setup, options.signal);
    return {
      ...file,
      fd: target.fd,
      bytes,
      present: null,
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

/** Returns the metadata with only the first row group that has rows. */
function sampleOf(metadata: FileMetadata): FileMetadata {
  const first = metadata.rowGroups.find(({ rows }) => rows > 0);
  const rowGroups = first ? [first] : [];
  return { ...metadata, rows: first?.rows ?? 0, rowGroups };
}

/** Decodes in a thread, and returns the size of the stream after the thread has ended. */
async function decode(
  path: string,
  setup: ParquetSetup,
  signal: AbortSignal | undefined,
): Promise<number> {
  if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
  const worker = openThread(setup);
  let stop = () => {};
  try {
    return await new Promise((resolve, reject) => {
      stop = () => reject(new AbortedError({ cause: signal?.reason }));
      signal?.addEventListener("abort", stop);
      const damage = (reason: string, cause?: unknown) => {
        const text = `could not be decoded: it is damaged${reason}; ${CONVERT}`;
        return new InputFormatError(path, DATA, text, { cause });
      };
      worker.on("error", (error) => {
        const reason = `, or too large for the decoder (${error.message})`;
        reject(threadError(error) ?? damage(reason, error));
      });
      worker.on("exit", () => reject(damage(" (the decoder stopped)")));
      worker.on("message", (reply: ParquetReply) => {
        if (reply.kind === "decoder") decoder = reply.decoder;
        else if (reply.kind === "done") resolve(reply.bytes);
        else reject(errorOf(path, reply.failure));
      });
    });
  } finally {
    signal?.removeEventListener("abort", stop);
    // The thread may be using the descriptors, so they must not be closed before it has ended.
    await worker.terminate();
  }
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
