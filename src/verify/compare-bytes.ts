import { fstatSync } from "node:fs";
import { fixedBits, storedType } from "../arrow/field.js";
import { openArrow } from "../input/arrow-container.js";
import type { LogitsFile } from "../input/logits-file.js";
import type { RecordBatch } from "../input/record-batch.js";
import { type ArrowContainer, recordBatches } from "../input/record-batches.js";
import { DifferentByte } from "../io/write-or-compare.js";
import type { RunHooks } from "../options/hooks.js";
import type { ResolvedOptions } from "../options/run-options.js";
import { WorkerPool } from "../pool/worker-pool.js";
import { decodeRunMetadata } from "../results/run-metadata.js";
import { compute } from "../run/compute-and-commit.js";
import { planRun } from "../run/run-plan.js";
import { ReportBuilder } from "../run/run-report.js";
import { VERSION } from "../version.js";

/** Result of comparing an output with a new run, byte by byte. */
export interface ByteComparison {
  /** Whether every byte was compared; false if another version of softjac wrote the file. */
  compared: boolean;
  /** First difference, or the reason why nothing was compared; null if all bytes are equal. */
  message: string | null;
}

/**
 * Repeats the run that wrote a file, and compares every byte with the file instead of writing it: row numbers, copied
 * columns, results and metadata. Takes at most the time of a run.
 * @param options options of the run, and `logits` its open input
 */
export async function compareRun(
  path: string,
  options: ResolvedOptions,
  logits: LogitsFile,
  hooks: RunHooks,
): Promise<ByteComparison> {
  const file = openArrow(path);
  try {
    const metadata = decodeRunMetadata(path, file.schema.metadata);
    const { version, source, rowStart, rowEnd } = metadata;
    if (version !== VERSION)
      return {
        compared: false,
        message: `bytes not compared: the output was written by version ${version}, this is ${VERSION}`,
      };
    if (file.format !== "arrow-file")
      return {
        compared: false,
        message:
          "bytes not compared: the output is a stream, and runs write files",
      };
    const isPart = rowStart !== undefined && rowEnd !== undefined;
    // The input and the files of a model may have other names than in the run.
    const { coefficients, covarianceFile } = metadata;
    const recorded = {
      ...{ ...options, coefficients, covarianceFile },
      source: source ?? options.source,
      part: isPart ? { rowStart, rowEnd } : null,
    };
    const difference = await firstDifference(file, recorded, logits, hooks);
    return { compared: true, message: difference && `${path}: ${difference}` };
  } finally {
    file.close();
  }
}

/** Describes the first byte that a new run would write differently. */
async function firstDifference(
  file: ArrowContainer,
  options: ResolvedOptions,
  logits: LogitsFile,
  hooks: RunHooks,
): Promise<string | null> {
  const report = new ReportBuilder(options.input, file.path);
  const plan = planRun(options, logits);
  const workerPool = new WorkerPool();
  const { compress } = options;
  try {
    const context = { ...hooks, workerPool, options, logits, report };
    const compare = { compare: true, direct: -1, reportWritten: () => {} };
    await compute(plan, { fd: file.fd, ...compare }, context);
  } catch (error) {
    if (!(error instanceof DifferentByte)) throw error;
    const { position, expected, found } = error;
    const where = describePosition(file, position, compress !== undefined);
    return `${where}: expected ${expected} at byte ${position}, found ${found ?? "the end of the file"}`;
  } finally {
    await workerPool.close();
  }
  const bytes = fstatSync(file.fd).size;
  const expected = report.finish("done").outputBytes;
  return bytes === expected
    ? null
    : `expected ${expected} bytes, found ${bytes}`;
}

/** Describes the position of a byte: the record batch, and for an output without compression the column and value. */
function describePosition(
  file: ArrowContainer,
  position: number,
  isCompressed: boolean,
): string {
  const n = file.recordBatches.findIndex(
    ({ offset, metadataBytes, bodyBytes }) =>
      position >= offset && position < offset + metadataBytes + bodyBytes,
  );
  const block = file.recordBatches[n];
  if (!block) {
    const first = file.recordBatches[0]?.offset ?? 0;
    return position < first ? "schema or dictionaries" : "footer";
  }
  const where = `record batch ${n}`;
  if (isCompressed) return where;
  const bodyOffset = position - block.offset - block.metadataBytes;
  if (bodyOffset < 0) return `${where}: its metadata`;
  const { batch, columns } = [...recordBatches(file)][n] as RecordBatch;
  const buffer = batch.buffers.findLastIndex(
    ({ offset, length }) => length > 0 && offset <= bodyOffset,
  );
  const column = columns.findLast((column) => column.buffer <= buffer);
  if (!column) return where;
  const { field, children } = column;
  const { type } = field;
  const name = `${where}: column ${field.name}`;
  const values = children[0] ?? column;
  const bits = fixedBits(storedType(values.field));
  if (children.length > 1 || bits === 0) return name;
  if (buffer !== values.buffer + 1) return `${name}, its validity or offsets`;
  const { offset } = batch.buffers[buffer] as { offset: number };
  const value = Math.floor((8 * (bodyOffset - offset)) / bits);
  if (values === column) return `${name}, table row ${value}`;
  return type.kind === "FixedSizeList"
    ? `${name}, table row ${Math.floor(value / type.listSize)}, value ${value % type.listSize}`
    : `${name}, value ${value}`;
}
