import { openLogits } from "./input/logits-file.js";
import { planJob } from "./job.js";
import { openOptionsOf, type RunOptions, resolveOptions } from "./options.js";
import { checkTarget } from "./output/commit.js";
import type { EmitName, Layout } from "./results/catalogue.js";

/** What a run would do. Bytes are exact; the memory is that of the slots. */
export interface DryRun {
  input: string;
  output: string;
  column: string;
  form: "fixed-size-list" | "list" | "columns";
  layout: Layout;
  emit: EmitName[];
  sourceDtype: "float32" | "float64";
  dtype: "float32" | "float64";
  rows: number;
  classes: number;
  inputBytes: number;
  outputBytes: number;
  recordBatches: number;
  rowsPerRecordBatch: number;
  largestBodyBytes: number;
  chunks: number;
  rowsPerChunk: number;
  rowsPerStride: number;
  /** Rows of a block written at once; less than `classes` where a block does not fit a slot. */
  blockRowsPerTile: number;
  /** 0: on the main thread. */
  threads: number;
  slots: number;
  slotBytes: number;
  memoryBytes: number;
}

/**
 * Plans a run and says what it would do; reads the input's structure, writes nothing.
 * @throws SoftjacError as run would before it starts
 */
export function dryRun(options: RunOptions): DryRun {
  const resolved = resolveOptions(options);
  checkTarget(resolved.output, resolved.force, resolved.input);
  const logits = openLogits(resolved.input, openOptionsOf(resolved));
  try {
    const { plan, slot, layout, dtype } = planJob(resolved, logits);
    return {
      input: resolved.input,
      output: resolved.output,
      column: logits.column,
      form: logits.form,
      layout: resolved.layout,
      emit: [...resolved.emit],
      sourceDtype: logits.dtype,
      dtype,
      rows: plan.rows,
      classes: plan.classes,
      inputBytes: logits.bytes,
      outputBytes: layout.bytes,
      recordBatches: plan.batches.length,
      rowsPerRecordBatch: Math.min(plan.batchRows, plan.rows),
      largestBodyBytes: layout.batches.reduce(
        (most, { bodyBytes }) => Math.max(most, bodyBytes),
        0,
      ),
      chunks: plan.chunks.length,
      rowsPerChunk: Math.min(plan.chunkRows, plan.rows),
      rowsPerStride: plan.strideRows,
      blockRowsPerTile: plan.tileRows,
      threads: plan.threads,
      slots: plan.slots,
      slotBytes: slot.bytes,
      memoryBytes: plan.slots * slot.bytes,
    };
  } finally {
    logits.close();
  }
}
