import { ftruncateSync } from "node:fs";
import type { LogitsFile } from "../input/logits-file.js";
import { inputReader } from "../input/read-input.js";
import { sourceRanges } from "../input/source-ranges.js";
import { writeOrCompare } from "../io/write-or-compare.js";
import { headPieces } from "../output/dictionaries.js";
import { validityBitmap } from "../output/jacobian-batch.js";
import {
  batchMetadata,
  type Piece,
  type PositionedBatch,
  streamBytes,
  tailPiece,
} from "../output/jacobian-file.js";
import type { OutputTarget } from "../output/output-target.js";
import type { RowRange } from "../results/row-axes.js";
import type { CopyTask, RowChunkTask, ScanTask } from "../tasks/run-tasks.js";
import { copyTask } from "./copy-column-task.js";
import { type FixedPlan, planFixed, rowsWithin } from "./fixed-plan.js";
import { batchRange, chunksOf } from "./fixed-rows.js";
import { countWritten, type RunContext } from "./run-context.js";
import { runTasks } from "./run-tasks.js";

/**
 * Writes an output of planned size: workers write columns to their final offsets, the main thread writes everything else.
 * @returns a function that writes the end of the file
 */
export async function writeFixed(
  planned: FixedPlan,
  context: RunContext,
): Promise<() => Promise<void>> {
  const { output, logits, options, report } = context;
  let plan = planned;
  if (plan.onBadRow === "skip") {
    const skipped = await findBadRows(plan, context);
    plan = planFixed(options, logits, skipped, plan.batchRows);
    if (!output.compare && !output.ring)
      ftruncateSync(output.fd, plan.layout.bytes);
  }
  const { layout } = plan;
  report.set({
    outputBytes: output.ring ? streamBytes(layout) : layout.bytes,
  });
  const write = async ({ offset, bytes }: Piece) => {
    await output.waitForSpace?.(offset + bytes.byteLength);
    writeOrCompare(output, bytes, offset);
    output.markComplete?.(offset + bytes.byteLength);
  };
  const read = inputReader(logits);
  for (const piece of headPieces(layout, logits.dictionaries, read))
    await write(piece);
  output.markComplete?.(layout.end);
  await writeBatches(plan, context);
  return () => write(tailPiece(layout, Boolean(output.ring)));
}

/**
 * Returns the bad rows, which takes a pass over the input before the run. If bad rows are omitted, every offset depends on
 * the number of bad rows before it.
 */
async function findBadRows(
  plan: FixedPlan,
  context: RunContext,
): Promise<number[]> {
  const badRows: number[][] = [];
  const batches = Array.from({ length: plan.batchCount }, (_, k) => k);
  await runTasks(
    context,
    plan.slots,
    batches.flatMap((k) => chunksOf(plan, k)).entries(),
    async ([n, { rowStart, rowEnd }], slot, { run }) => {
      const pieces = sourceRanges(context.logits, rowStart, rowEnd);
      const task: ScanTask = { kind: "scan", slot, rowStart, rowEnd, pieces };
      badRows[n] = (await run(task)).badRows;
    },
  );
  return badRows.flat();
}

async function writeBatches(
  plan: FixedPlan,
  context: RunContext,
): Promise<void> {
  const { report } = context;
  const taskDone = batchFinisher(plan, context);
  const tasks = tasksOf(plan, context);
  await runTasks(context, plan.slots, tasks, async (work, slot, { run }) => {
    const { batch, ...task } = work;
    const { badRows, nulls } = await run({ ...task, slot });
    taskDone(batch, badRows, nulls);
    if (task.kind !== "row-chunk") return;
    const rows = task.rowEnd - task.rowStart;
    report.count(rows, badRows);
    countWritten(context, (rows / plan.rows) * plan.layout.bytes);
  });
}

/** A task that has no slot yet, and its record batch. */
type PendingTask = { batch: number } & (
  | Omit<RowChunkTask, "slot">
  | Omit<CopyTask, "slot">
);

/** Yields the tasks in row order, created on demand: for each batch its copied columns, then its chunks. */
async function* tasksOf(
  plan: FixedPlan,
  { logits, output }: RunContext,
): AsyncGenerator<PendingTask> {
  const { layout, results, skipped } = plan;
  const isDense = results.some(({ values, listSize }) => listSize > values);
  for (const [batch, positioned] of layout.batches.entries()) {
    const end = positioned.bodyStart + positioned.bodyBytes;
    await output.waitForSpace?.(end);
    // No task writes the zeros of a dense tensor: a new file has them, a ring buffer does not.
    if (isDense) output.zeroFill?.(positioned.bodyStart, end);
    const rows = batchRange(plan, batch);
    if (logits.copied.length > 0) {
      const without = rowsWithin(skipped, rows.rowStart, rows.rowEnd);
      yield { ...copyTask(logits, positioned, rows, without), batch };
    }
    for (const chunk of chunksOf(plan, batch))
      yield chunkTask(plan, logits, positioned, batch, chunk);
  }
}

function chunkTask(
  plan: FixedPlan,
  logits: LogitsFile,
  { bodyStart, layout }: PositionedBatch,
  batch: number,
  { rowStart, rowEnd }: RowRange,
): PendingTask {
  const { results, skipped } = plan;
  const batchStart = batchRange(plan, batch).rowStart;
  const skippedBefore = rowsWithin(skipped, batchStart, rowStart).length;
  const first = rowStart - batchStart - skippedBefore;
  return {
    kind: "row-chunk",
    batch,
    rowStart,
    rowEnd,
    skipped: rowsWithin(skipped, rowStart, rowEnd).map((row) => row - rowStart),
    pieces: sourceRanges(logits, rowStart, rowEnd),
    row: bodyStart + layout.row + first * 8,
    positions: layout.positions.map((offset) => bodyStart + offset + first * 4),
    results: results.map(
      ({ listSize, width }, n) =>
        bodyStart +
        (layout.results[n] as { values: number }).values +
        first * listSize * width,
    ),
  };
}

/**
 * Returns a function to call after each task. After the last task of a record batch it writes the metadata and validity
 * bitmaps of the batch, since null counts are known only then.
 */
function batchFinisher(
  plan: FixedPlan,
  { logits, output }: RunContext,
): (batch: number, badRows: number[], nulls: number[]) => void {
  const { layout } = plan;
  const copyTasks = logits.copied.length > 0 ? 1 : 0;
  const states = layout.batches.map((_, batch) => ({
    tasksLeft: copyTasks + chunksOf(plan, batch).length,
    nullRows: [] as number[],
    /** Null counts of the nodes of copied columns. */
    nulls: [] as number[],
  }));
  const isNullable = plan.onBadRow === "null";
  let next = 0;
  return (batch, badRows, nulls) => {
    const state = states[batch] as (typeof states)[number];
    const first = batchRange(plan, batch).rowStart;
    if (isNullable) for (const row of badRows) state.nullRows.push(row - first);
    state.nulls.push(...nulls);
    if (--state.tasksLeft > 0) return;
    const positioned = layout.batches[batch] as PositionedBatch;
    finishBatch(
      output,
      positioned,
      state.nulls,
      isNullable ? state.nullRows : null,
    );
    state.nullRows = [];
    for (; states[next]?.tasksLeft === 0; next++) {
      const { bodyStart, bodyBytes } = layout.batches[next] as PositionedBatch;
      output.markComplete?.(bodyStart + bodyBytes);
    }
  };
}

/** @param nullRows rows of the batch whose results are null, or null if results have no validity bitmaps */
function finishBatch(
  output: OutputTarget,
  positioned: PositionedBatch,
  nulls: number[],
  nullRows: number[] | null,
): void {
  const { bodyStart, bodyBytes, layout, shape } = positioned;
  // A file has zeros between buffers; a reused ring buffer has old bytes.
  if (output.ring) {
    let end = 0;
    const bodyEnd = { offset: bodyBytes, length: 0 };
    for (const { offset, length } of [...layout.buffers, bodyEnd]) {
      const gap = new Uint8Array(Math.max(0, offset - end));
      writeOrCompare(output, gap, bodyStart + end);
      end = Math.max(end, offset + length);
    }
  }
  if (nullRows) {
    const bitmap = validityBitmap(shape.rows, nullRows);
    for (const { validity } of layout.results)
      writeOrCompare(output, bitmap, bodyStart + validity);
  }
  const { offset, bytes } = batchMetadata(
    positioned,
    nulls,
    nullRows?.length ?? 0,
  );
  writeOrCompare(output, bytes, offset);
}
