import type { NumberType } from "./arrow/field.js";
import type { SourceForm } from "./arrow/source-form.js";
import { mostCompressedBytes } from "./compressed/protocol.js";
import { checkUnchanged } from "./input/input-state.js";
import { openLogits } from "./input/open-logits.js";
import { sizeJob } from "./job.js";
import { openOptionsOf, type RunOptions, resolveOptions } from "./options.js";
import type { EntriesJob } from "./ordered/entries-job.js";
import { layoutJacobianBatch } from "./output/jacobian-batch.js";
import { ARROW } from "./output/output-name.js";
import { checkOutput } from "./output/written-files.js";
import type { SizedJob } from "./planned/planned-job.js";
import type { Layout } from "./results/catalogue.js";
import type { RunEmit } from "./results/emit-options.js";
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
  /** Size of the output, or null if only the run can tell it (csr, coo, compressed), and its upper bound. */
  outputBytes: number | null;
  maxOutputBytes: number;
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
      ...(job.kind === "entries" ? ofEntries(job) : ofBlocks(job)),
      ...(resolved.compress && ofCompressed(job)),
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

function ofBlocks({ plan, sizes }: SizedJob): Sizes {
  return {
    outputBytes: sizes.bytes,
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
  job: SizedJob | EntriesJob,
): Pick<DryRun, "outputBytes" | "maxOutputBytes"> {
  if (job.kind === "entries")
    return { outputBytes: null, maxOutputBytes: job.plan.mostBytes };
  let most = job.sizes.bytes;
  for (const { shape, count } of job.shapes()) {
    const { buffers, bodyBytes } = layoutJacobianBatch(shape);
    const more = mostCompressedBytes(buffers) - bodyBytes;
    most += count * (BATCH_METADATA + more);
  }
  return { outputBytes: null, maxOutputBytes: most };
}

function ofEntries({ plan }: EntriesJob): Sizes {
  return {
    outputBytes: null,
    maxOutputBytes: plan.mostBytes,
    recordBatches: null,
    rowsPerRecordBatch: plan.batchExamples,
    largestBodyBytes: null,
    chunks: null,
    rowsPerChunk: plan.chunkRows,
    rowsPerRowBlock: plan.chunkRows,
    blockRowsPerTile: plan.classes,
  };
}
