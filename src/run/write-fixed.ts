import { ftruncateSync } from "node:fs";
import { type LogitsFile, sourceRanges } from "../input/logits-file.js";
import { inputReader } from "../input/read-input.js";
import { validityBitmap } from "../output/jacobian-batch.js";
import type {
  JacobianFileLayout,
  Piece,
  PositionedBatch,
} from "../output/jacobian-file.js";
import type { RowRange } from "../results/row-axes.js";
import type { CopyTask, RowChunkTask, ScanTask } from "../tasks/run-tasks.js";
import { copyTask } from "./copy-column-task.js";
import { type FixedPlan, layoutFixed, rowsWithin } from "./fixed-plan.js";
import { batchRange, chunksOf } from "./fixed-rows.js";
import { countWritten, type RunContext } from "./run-context.js";
import { runTasks } from "./run-tasks.js";

/** A plan and the offset of every byte of its output, which omits the rows in `skipped`. */
interface LaidOutPlan extends FixedPlan {
  layout: JacobianFileLayout;
  skipped: readonly number[];
}

/** Writes an output of planned size, except its end: workers write columns, the main thread writes everything else. */
export async function writeFixed(
  plan: FixedPlan,
  context: RunContext,
): Promise<void> {
  const { writer, output, logits } = context;
  const skips = plan.onBadRow === "skip";
  const skipped = skips ? await findBadRows(plan, context) : [];
  const layout = layoutFixed(plan, skipped);
  if (skips && !output.compare && !writer.isOrdered)
    ftruncateSync(output.fd, layout.bytes);
  const read = inputReader(logits);
  await writer.begin(layout, logits.dictionaries, read);
  await writeBatches({ ...plan, layout, skipped }, context);
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
  plan: LaidOutPlan,
  context: RunContext,
): Promise<void> {
  const { report, writer, options, output } = context;
  const isCompressed = options.compress !== undefined;
  const bodies = writer.isOrdered ? new BatchBodies(plan, isCompressed) : null;
  const stop = () => {
    bodies?.stop();
    output.stop?.();
  };
  const taskDone = batchFinisher(plan, context, bodies);
  await runTasks(
    { ...context, output: { stop } },
    plan.slots,
    tasksOf(plan, context, bodies),
    async (work, slot, { run }) => {
      const { batch, ...task } = work;
      const { badRows, nulls } = await run({ ...task, slot });
      await taskDone(batch, badRows, nulls);
      if (task.kind !== "row-chunk") return;
      const rows = task.rowEnd - task.rowStart;
      report.count(rows, badRows);
      countWritten(context, (rows / plan.rows) * plan.layout.bytes);
    },
  );
}

/** Bodies in memory of an output that is written in order: two record batches of the usual size. */
const BODIES_BYTES = 64 << 20;

/** Memory for the bodies of record batches that are written in order, reused from batch to batch. */
class BatchBodies {
  readonly #memories: SharedArrayBuffer[];
  #written = 0;
  #wake = () => {};
  isStopped = false;

  /** @param areCopied whether a body is copied before it is written */
  constructor(
    { largestBodyBytes: bytes, batchCount }: FixedPlan,
    areCopied: boolean,
  ) {
    const fitting = areCopied ? 1 : Math.round(BODIES_BYTES / bytes);
    const length = Math.max(1, Math.min(fitting, batchCount));
    this.#memories = Array.from({ length }, () => new SharedArrayBuffer(bytes));
  }

  /** Returns the memory of a batch. */
  of(batch: number): SharedArrayBuffer {
    return this.#memories[batch % this.#memories.length] as SharedArrayBuffer;
  }

  /** Resolves when the memory of a batch may be changed, or when the run is stopped. */
  async waitFor(batch: number): Promise<void> {
    while (batch >= this.#written + this.#memories.length && !this.isStopped)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
  }

  /** Declares that the next batch is written. */
  written(): void {
    this.#written++;
    this.#wake();
  }

  stop(): void {
    this.isStopped = true;
    this.#wake();
  }
}

/** A task that has no slot yet, and its record batch. */
type PendingTask = { batch: number } & (
  | Omit<RowChunkTask, "slot">
  | Omit<CopyTask, "slot">
);

/** Yields the tasks in row order, created on demand: for each batch its copied columns, then its chunks. */
async function* tasksOf(
  plan: LaidOutPlan,
  { logits }: RunContext,
  bodies: BatchBodies | null,
): AsyncGenerator<PendingTask> {
  const { layout, results, skipped } = plan;
  const isDense = results.some(({ values, listSize }) => listSize > values);
  for (const [batch, positioned] of layout.batches.entries()) {
    await bodies?.waitFor(batch);
    const target = bodies?.of(batch) ?? null;
    // No task writes the zeros of a dense tensor: a new file has them, reused memory does not.
    if (isDense && target) new Uint8Array(target).fill(0);
    const rows = batchRange(plan, batch);
    if (logits.copied.length > 0) {
      const without = rowsWithin(skipped, rows.rowStart, rows.rowEnd);
      yield { ...copyTask(logits, positioned, rows, without, target), batch };
    }
    for (const chunk of chunksOf(plan, batch))
      yield { ...chunkTask(plan, logits, batch, chunk, target), batch };
  }
}

function chunkTask(
  plan: LaidOutPlan,
  logits: LogitsFile,
  batch: number,
  { rowStart, rowEnd }: RowRange,
  target: SharedArrayBuffer | null,
): Omit<RowChunkTask, "slot"> {
  const positioned = plan.layout.batches[batch] as PositionedBatch;
  const { layout } = positioned;
  const bodyStart = target ? 0 : positioned.bodyStart;
  const { results, skipped } = plan;
  const batchStart = batchRange(plan, batch).rowStart;
  const skippedBefore = rowsWithin(skipped, batchStart, rowStart).length;
  const first = rowStart - batchStart - skippedBefore;
  return {
    kind: "row-chunk",
    target,
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
 * Returns a function to call after each task. After the last task of a record batch, and of all before it, the batch is
 * completed: its null counts are known only then.
 */
function batchFinisher(
  plan: LaidOutPlan,
  { logits, writer }: RunContext,
  bodies: BatchBodies | null,
): (batch: number, badRows: number[], nulls: number[]) => Promise<void> {
  const { batches } = plan.layout;
  const copyTasks = logits.copied.length > 0 ? 1 : 0;
  const states = batches.map((_, batch) => ({
    tasksLeft: copyTasks + chunksOf(plan, batch).length,
    nullRows: [] as number[],
    /** Null counts of the nodes of copied columns. */
    copied: [] as number[],
  }));
  const isNullable = plan.onBadRow === "null";
  const finish = async (batch: number): Promise<void> => {
    const { nullRows, copied } = states[batch] as (typeof states)[number];
    const positioned = batches[batch] as PositionedBatch;
    const { shape, layout } = positioned;
    const bitmap = validityBitmap(shape.rows, nullRows);
    const bitmaps = (isNullable ? layout.results : []).map(
      ({ validity }): Piece => ({ offset: validity, bytes: bitmap }),
    );
    let pieces = bitmaps;
    if (bodies) {
      const body = new Uint8Array(bodies.of(batch));
      for (const { offset, bytes } of bitmaps) body.set(bytes, offset);
      pieces = layout.buffers.map(({ offset, length }) => ({
        offset,
        bytes: body.subarray(offset, offset + length),
      }));
    }
    const results = nullRows.length;
    try {
      await writer.batch(positioned, { copied, results }, pieces);
    } catch (error) {
      // A stream that was stopped fails because another task has failed.
      if (!bodies?.isStopped) throw error;
    }
    nullRows.length = 0;
    bodies?.written();
  };
  let next = 0;
  let finished = Promise.resolve();
  return async (batch, badRows, nulls) => {
    const state = states[batch] as (typeof states)[number];
    const first = batchRange(plan, batch).rowStart;
    if (isNullable) for (const row of badRows) state.nullRows.push(row - first);
    state.copied.push(...nulls);
    if (--state.tasksLeft > 0) return;
    for (; states[next]?.tasksLeft === 0; next++) {
      const complete = next;
      finished = finished.then(() => finish(complete));
    }
    await finished;
  };
}
