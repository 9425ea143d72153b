import type { ColumnStorage } from "../arrow/column-storage.js";
import type { NumberType } from "../arrow/field.js";
import { SoftjacError } from "../errors.js";
import { copiedBytesPerRow, copiedShapes } from "../input/copied-pieces.js";
import { checkUnchanged } from "../input/input-state.js";
import type { LogitsFile } from "../input/logits-file.js";
import { openRunLogits } from "../model/run-model.js";
import type { RunHooks } from "../options/hooks.js";
import {
  inLayout,
  type ResolvedOptions,
  type RunOptions,
  resolveOptions,
} from "../options/run-options.js";
import { layoutJacobianBatch } from "../output/jacobian-batch.js";
import { measureJacobianFile } from "../output/jacobian-file.js";
import { LAYOUTS, type Layout } from "../results/catalogue.js";
import type { RunEmit } from "../results/emit-options.js";
import { maxCompressedBytes } from "../tasks/compress-tasks.js";
import type { EntriesPlan } from "./entries-plan.js";
import type { FixedPlan } from "./fixed-plan.js";
import { checkRunOutput, openOptions } from "./open-options.js";
import { planRun, type RunPlan } from "./run-plan.js";

/** Plan of a run, with exact sizes. Threads compute into slots of shared memory; `memoryBytes` is their total size. */
export interface DryRun {
  input: string;
  output: string;
  column: string;
  storage: ColumnStorage;
  layout: Layout;
  emit: RunEmit[];
  sourceDtype: NumberType;
  dtype: "float32" | "float64";
  rows: number;
  classes: number;
  inputBytes: number;
  /** Size of the output, or null if it is known only after the run (csr, coo, compressed, omitted rows), and its upper bound. */
  outputBytes: number | null;
  maxOutputBytes: number;
  /** Uncompressed sizes of the run in each possible layout; dense is included only if it is the run's layout. */
  layouts: OutputSize<Layout>[];
  /** Sizes of the columns except copied ones, in output order. */
  columns: OutputSize[];
  recordBatches: number | null;
  rowsPerRecordBatch: number;
  largestBodyBytes: number | null;
  chunks: number | null;
  /** Rows per chunk; an upper bound for csr and coo. */
  rowsPerChunk: number;
  rowsPerRowBlock: number;
  /** Rows of a Jacobian block written at once; fewer than `classes` if a block does not fit into a slot. */
  blockRowsPerTile: number;
  /** Number of worker threads; 0 if the main thread computes. */
  threads: number;
  slots: number;
  slotBytes: number;
  memoryBytes: number;
}

/**
 * Plans a run without computing it. Reads only the structure of the input and writes nothing.
 *
 * @throws SoftjacError if `run` would throw before it computes
 */
export async function dryRun(
  options: RunOptions,
  { signal }: Pick<RunHooks, "signal"> = {},
): Promise<DryRun> {
  const resolved = resolveOptions(options);
  checkRunOutput(resolved);
  const opening = openOptions(resolved, signal);
  const logits = await openRunLogits(resolved.input, opening);
  try {
    const plan = planRun(resolved, logits);
    const { rows, classes, slots, slot } = plan;
    await checkUnchanged(logits.source);
    return {
      input: resolved.input,
      output: resolved.output,
      column: logits.column,
      storage: logits.storage,
      layout: resolved.layout,
      emit: [...resolved.emit],
      sourceDtype: logits.type,
      dtype: plan.dtype,
      rows,
      classes,
      inputBytes: logits.bytes,
      ...sizesOf(plan, resolved, logits),
      rowsPerRowBlock: plan.rowBlockSize,
      blockRowsPerTile: plan.tileRows,
      layouts: layoutSizes(resolved, logits),
      columns: columnSizes(plan, resolved),
      threads: plan.threads,
      slots,
      slotBytes: slot.bytes,
      memoryBytes: slots * slot.bytes,
    };
  } finally {
    logits.close();
  }
}

function sizesOf(
  plan: RunPlan,
  { compress, onBadRow }: ResolvedOptions,
  logits: LogitsFile,
) {
  if (plan.kind === "entries")
    return {
      outputBytes: null,
      maxOutputBytes: maxFileBytes(plan, logits),
      recordBatches: null,
      rowsPerRecordBatch: plan.batchExamples,
      largestBodyBytes: null,
      chunks: null,
      rowsPerChunk: plan.chunkRows,
    };
  const isKnown = onBadRow !== "skip" && !compress;
  return {
    outputBytes: isKnown ? plan.maxBytes : null,
    maxOutputBytes: plan.maxBytes + (compress ? compressionBytes(plan) : 0),
    recordBatches: plan.batchCount,
    rowsPerRecordBatch: Math.min(plan.batchRows, plan.rows),
    largestBodyBytes: plan.largestBodyBytes,
    chunks: plan.chunkCount,
    rowsPerChunk: Math.min(plan.chunkRows, plan.rows),
  };
}

/** Bytes that compression adds to the metadata of a record batch. */
const BATCH_METADATA = 64;

/** Returns the bytes that compression adds at most: to each buffer its length prefix, and to batches some metadata. */
function compressionBytes({ shapes }: FixedPlan): number {
  let added = 0;
  for (const { shape, count } of shapes()) {
    const { buffers, bodyBytes } = layoutJacobianBatch(shape);
    added += count * (BATCH_METADATA + maxCompressedBytes(buffers) - bodyBytes);
  }
  return added;
}

/** Size of a column or of a file; `bytesPerRow` counts values only. */
export interface OutputSize<Name extends string = string> {
  name: Name;
  bytesPerRow: number;
  bytes: number;
  /** Whether the sizes are exact; else they are upper bounds (csr, coo, omitted rows). */
  exact: boolean;
}

/** Upper bounds of the overhead of a record batch, also if it is compressed: fixed, and per buffer. */
const BATCH_EXTRA = 1024;
const COLUMN_EXTRA = 512;

/** Returns an upper bound of the file size: every entry is stored. */
function maxFileBytes(plan: EntriesPlan, logits: LogitsFile): number {
  const { file, columns, rowStart, rows, maxEntries, maxBytes } = plan;
  // Two consecutive record batches have more entries than fit into one, or the first has the maximum of rows.
  const batches =
    Math.ceil(rows / plan.batchExamples) +
    Math.ceil((2 * rows * maxEntries) / plan.batchEntries);
  const copied = copiedShapes(logits, rowStart, rowStart + rows).flat();
  const copiedBytes = copied.reduce(
    (sum, { validity, offsets, values }) =>
      sum + (validity ?? 0) + (offsets ?? 0) + (values ?? 0),
    -rows * copiedBytesPerRow(logits),
  );
  const buffers = 1 + columns.length + copied.length;
  return (
    measureJacobianFile(file, []).bytes +
    Math.ceil(maxBytes + copiedBytes + (buffers * rows) / 8) +
    batches * (BATCH_EXTRA + COLUMN_EXTRA * buffers)
  );
}

/** Returns the sizes of a run in each possible layout; dense is included only if it is the run's layout. */
export function layoutSizes(
  options: ResolvedOptions,
  logits: LogitsFile,
): OutputSize<Layout>[] {
  return LAYOUTS.flatMap((name) => {
    if (name === "dense" && options.layout !== name) return [];
    try {
      const changed = inLayout(options, name);
      const plan = planRun(changed, logits);
      const columns = columnSizes(plan, changed);
      return {
        name,
        bytesPerRow: columns.reduce((sum, c) => sum + c.bytesPerRow, 0),
        bytes:
          plan.kind === "entries" ? maxFileBytes(plan, logits) : plan.maxBytes,
        exact: columns.every(({ exact }) => exact),
      };
    } catch (error) {
      if (error instanceof SoftjacError) return [];
      throw error;
    }
  });
}

/** Returns the sizes of the columns of a run, except copied ones. */
function columnSizes(
  plan: RunPlan,
  { onBadRow, layout }: ResolvedOptions,
): OutputSize[] {
  const maxEntries = plan.kind === "entries" ? plan.maxEntries : 1;
  const row = { name: "row", listSize: 1, width: 8 };
  return [row, ...plan.columns].map(({ name, listSize, width }) => {
    const isExact = layout !== "coo" && listSize !== null;
    const bytesPerRow = (isExact ? listSize : maxEntries) * width;
    const bytes = plan.rows * bytesPerRow;
    return { name, bytesPerRow, bytes, exact: isExact && onBadRow !== "skip" };
  });
}
