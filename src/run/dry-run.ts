import type { ColumnStorage } from "../arrow/column-storage.js";
import type { NumberType } from "../arrow/field.js";
import { checkUnchanged } from "../input/input-state.js";
import type { LogitsFile } from "../input/logits-file.js";
import { openLogits } from "../input/open-logits.js";
import type { RunHooks } from "../options/hooks.js";
import {
  type ResolvedOptions,
  type RunOptions,
  resolveOptions,
} from "../options/run-options.js";
import { layoutJacobianBatch } from "../output/jacobian-batch.js";
import { ARROW, checkOutput } from "../output/written-files.js";
import type { Layout } from "../results/catalogue.js";
import type { RunEmit } from "../results/emit-options.js";
import { maxCompressedBytes } from "../tasks/compress-tasks.js";
import type { FixedSizes } from "./fixed-plan.js";
import { openOptions } from "./open-options.js";
import {
  columnSizes,
  layoutSizes,
  maxFileBytes,
  type OutputSize,
} from "./output-sizes.js";
import { type RunSizes, sizeRun } from "./run-plan.js";

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
  checkOutput({
    path: resolved.output,
    force: resolved.force,
    format: ARROW,
    inputs: [resolved.input],
    streams: true,
  });
  const logits = await openLogits(
    resolved.input,
    openOptions(resolved, signal),
  );
  try {
    const plan = sizeRun(resolved, logits);
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
  plan: RunSizes,
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
function compressionBytes({ shapes }: FixedSizes): number {
  let added = 0;
  for (const { shape, count } of shapes()) {
    const { buffers, bodyBytes } = layoutJacobianBatch(shape);
    added += count * (BATCH_METADATA + maxCompressedBytes(buffers) - bodyBytes);
  }
  return added;
}
