import type { NumberType } from "./arrow/field.js";
import type { SourceForm } from "./arrow/source-form.js";
import { mostCompressedBytes } from "./compressed/protocol.js";
import { SoftjacError } from "./errors.js";
import { checkUnchanged } from "./input/input-state.js";
import { keptBytesPerRow } from "./input/kept-pieces.js";
import type { LogitsFile } from "./input/logits-file.js";
import { openLogits } from "./input/open-logits.js";
import { axesOf } from "./input/row-indices.js";
import { sizeJob } from "./job.js";
import { keptShapes } from "./kept-shapes.js";
import {
  inLayout,
  openOptionsOf,
  type ResolvedOptions,
  type RunOptions,
  resolveOptions,
} from "./options.js";
import type { EntriesJob } from "./ordered/entries-job.js";
import { layoutJacobianBatch } from "./output/jacobian-batch.js";
import { measureJacobianFile } from "./output/jacobian-file.js";
import { ARROW } from "./output/output-name.js";
import { checkOutput } from "./output/written-files.js";
import type { SizedJob } from "./planned/planned-job.js";
import { LAYOUTS, type Layout } from "./results/catalogue.js";
import type { RunEmit } from "./results/emit-options.js";
import { positionNames } from "./results/row-axes.js";
import { positionColumns } from "./results/table-columns.js";
import type { RunHooks } from "./run.js";

/** Plan of a run, with exact sizes. Threads compute into slots, buffers in shared memory; `memoryBytes` is their total size. */
export interface DryRun {
  input: string;
  output: string;
  column: string;
  storage: SourceForm;
  layout: Layout;
  emit: RunEmit[];
  sourceDtype: NumberType;
  dtype: "float32" | "float64";
  rows: number;
  classes: number;
  inputBytes: number;
  /** Size of the output, or null if only the run can tell it (csr, coo, compressed, omitted rows), and its upper bound. */
  outputBytes: number | null;
  maxOutputBytes: number;
  /** Sizes of the same run in each layout that is possible, without compression; dense only if it is the layout. */
  layouts: OutputSize<Layout>[];
  /** Sizes of the columns but copied ones, in the order of the output. */
  columns: OutputSize[];
  recordBatches: number | null;
  rowsPerRecordBatch: number;
  largestBodyBytes: number | null;
  chunks: number | null;
  /** Rows per chunk; an upper bound for csr and coo. */
  rowsPerChunk: number;
  rowsPerRowBlock: number;
  /** Rows of a block that are written at once; fewer than `classes` if a block does not fit into a slot. */
  blockRowsPerTile: number;
  /** Number of worker threads; 0 if the main thread computes. */
  threads: number;
  slots: number;
  slotBytes: number;
  memoryBytes: number;
}

/** Bytes of the values of one row, and of those of all rows, or of the file. */
export interface OutputSize<Name extends string = string> {
  name: Name;
  bytesPerRow: number;
  bytes: number;
  /** Whether the sizes are exact; else they are upper bounds (csr, coo, rows that are omitted). */
  exact: boolean;
}

/**
 * Plans a run without computing it. Reads only the structure of the input and writes nothing.
 *
 * @returns the plan, with sizes and memory in bytes
 * @throws SoftjacError if `run` would throw before it computes
 */
export async function dryRun(
  options: RunOptions,
  { signal }: Pick<RunHooks, "signal"> = {},
): Promise<DryRun> {
  const resolved = resolveOptions(options);
  checkOutput({
    path: resolved.output,
    force: resolved.force,
    format: ARROW,
    inputs: [resolved.input],
    streams: true,
  });
  const logits = await openLogits(
    resolved.input,
    openOptionsOf(resolved, signal),
  );
  try {
    const { layout } = resolved;
    const job = sizeJob(resolved, logits);
    const { plan, slot, dtype } = job;
    await checkUnchanged(logits.source);
    return {
      input: resolved.input,
      output: resolved.output,
      column: logits.column,
      storage: logits.form,
      layout,
      emit: [...resolved.emit],
      sourceDtype: logits.type,
      dtype,
      rows: plan.rows,
      classes: plan.classes,
      inputBytes: logits.bytes,
      ...(job.kind === "entries" ? ofEntries(job, logits) : ofBlocks(job)),
      ...(resolved.compress && job.kind === "planned" && ofCompressed(job)),
      layouts: layoutSizes(resolved, logits),
      columns: columnSizes(job, resolved, logits),
      threads: plan.threads,
      slots: plan.slots,
      slotBytes: slot.bytes,
      memoryBytes: plan.slots * slot.bytes,
    };
  } finally {
    logits.close();
  }
}

/** What a batch's metadata takes more where it is compressed. */
const BATCH_METADATA = 64;

type Sizes = Pick<
  DryRun,
  | "outputBytes"
  | "maxOutputBytes"
  | "recordBatches"
  | "rowsPerRecordBatch"
  | "largestBodyBytes"
  | "chunks"
  | "rowsPerChunk"
  | "rowsPerRowBlock"
  | "blockRowsPerTile"
>;

function ofBlocks({ plan, sizes, onBadRow }: SizedJob): Sizes {
  return {
    outputBytes: onBadRow === "skip" ? null : sizes.bytes,
    maxOutputBytes: sizes.bytes,
    recordBatches: plan.batchCount,
    rowsPerRecordBatch: Math.min(plan.batchRows, plan.rows),
    largestBodyBytes: sizes.largestBodyBytes,
    chunks: plan.chunkCount,
    rowsPerChunk: Math.min(plan.chunkRows, plan.rows),
    rowsPerRowBlock: plan.strideRows,
    blockRowsPerTile: plan.tileRows,
  };
}

/** Compressed bytes are no more than plain ones, but for the length in front of each buffer, and what batches say of it. */
function ofCompressed(
  job: SizedJob,
): Pick<DryRun, "outputBytes" | "maxOutputBytes"> {
  let most = job.sizes.bytes;
  for (const { shape, count } of job.shapes()) {
    const { buffers, bodyBytes } = layoutJacobianBatch(shape);
    const more = mostCompressedBytes(buffers) - bodyBytes;
    most += count * (BATCH_METADATA + more);
  }
  return { outputBytes: null, maxOutputBytes: most };
}

function ofEntries(job: EntriesJob, logits: LogitsFile): Sizes {
  const { plan } = job;
  return {
    outputBytes: null,
    maxOutputBytes: mostFileBytes(job, logits),
    recordBatches: null,
    rowsPerRecordBatch: plan.batchExamples,
    largestBodyBytes: null,
    chunks: null,
    rowsPerChunk: plan.chunkRows,
    rowsPerRowBlock: plan.chunkRows,
    blockRowsPerTile: plan.classes,
  };
}

/** More than a record batch takes beside its values, also if it is compressed, and of that for each column. */
const BATCH_EXTRA = 1024;
const COLUMN_EXTRA = 512;

/** The file of a run that keeps every entry. */
function mostFileBytes(
  { file, plan, columns }: EntriesJob,
  logits: LogitsFile,
): number {
  const { rowStart, rows, mostEntries, mostBytes } = plan;
  // Two record batches that follow one another have more entries than fit into one, or as many rows as may be.
  const batches =
    Math.ceil(rows / plan.batchExamples) +
    Math.ceil((2 * rows * mostEntries) / plan.batchEntries);
  const kept = keptShapes(logits, rowStart, rowStart + rows).flat();
  const keptBytes = kept.reduce(
    (sum, { validity, offsets, values }) =>
      sum + (validity ?? 0) + (offsets ?? 0) + (values ?? 0),
    -rows * keptBytesPerRow(logits),
  );
  const buffers = 1 + columns.length + kept.length;
  return (
    measureJacobianFile(file, []).bytes +
    Math.ceil(mostBytes + keptBytes + (buffers * rows) / 8) +
    batches * (BATCH_EXTRA + COLUMN_EXTRA * buffers)
  );
}

function layoutSizes(
  options: ResolvedOptions,
  logits: LogitsFile,
): OutputSize<Layout>[] {
  return LAYOUTS.flatMap((name) => {
    if (name === "dense" && options.layout !== name) return [];
    try {
      const changed = inLayout(options, name);
      const job = sizeJob(changed, logits);
      const columns = columnSizes(job, changed, logits);
      return {
        name,
        bytesPerRow: columns.reduce((sum, c) => sum + c.bytesPerRow, 0),
        bytes:
          job.kind === "entries" ? mostFileBytes(job, logits) : job.sizes.bytes,
        exact: columns.every(({ exact }) => exact),
      };
    } catch (error) {
      if (error instanceof SoftjacError) return [];
      throw error;
    }
  });
}

function columnSizes(
  job: SizedJob | EntriesJob,
  { onBadRow, layout }: ResolvedOptions,
  logits: LogitsFile,
): OutputSize[] {
  const most = job.kind === "entries" ? job.plan.mostEntries : 1;
  const row = { name: "row", listSize: 1, width: 8 };
  const positions = positionColumns(positionNames(axesOf(logits).inner));
  const columns =
    job.kind === "entries" ? job.columns : [...positions, ...job.results];
  return [row, ...columns].map(({ name, listSize, width }) => {
    const isExact = layout !== "coo" && listSize !== null;
    const bytesPerRow = (isExact ? listSize : most) * width;
    const bytes = job.plan.rows * bytesPerRow;
    return { name, bytesPerRow, bytes, exact: isExact && onBadRow !== "skip" };
  });
}
