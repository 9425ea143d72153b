import type { LogitsFile } from "../input/logits-file.js";
import { sourcePieces } from "../input/source-pieces.js";
import { keptTask } from "../kept-task.js";
import type { PlacedBatch } from "../output/jacobian-file.js";
import type { KeptTask, RowChunkTask } from "../pool/protocol.js";
import type { PlannedJob } from "./planned-job.js";

/** A task still without a slot, and the output record batch that it belongs to. */
export type PendingTask = { batch: number } & (
  | Omit<RowChunkTask, "slot">
  | Omit<KeptTask, "slot">
);

/** The tasks of a run in row order: each batch's kept columns, then its chunks. Made one at a time, when there is a slot. */
export function* tasksOf(
  job: PlannedJob,
  logits: LogitsFile,
): Generator<PendingTask> {
  let next = 0;
  for (const [batch, placed] of job.layout.batches.entries()) {
    const rows = job.plan.batches[
      batch
    ] as PlannedJob["plan"]["batches"][number];
    if (logits.kept.length > 0)
      yield {
        ...keptTask(
          logits,
          placed,
          rows,
          job.skipped.between(rows.rowStart, rows.rowEnd),
        ),
        batch,
      };
    for (; job.plan.chunks[next]?.batch === batch; next++)
      yield chunkTask(job, logits, placed, next);
  }
}

function chunkTask(
  { plan, results, skipped }: PlannedJob,
  logits: LogitsFile,
  { bodyStart, layout }: PlacedBatch,
  chunk: number,
): PendingTask {
  const { rowStart, rowEnd, batch } = plan.chunks[
    chunk
  ] as PlannedJob["plan"]["chunks"][number];
  const batchStart = plan.batches[batch]?.rowStart ?? 0;
  const first = rowStart - batchStart - skipped.count(batchStart, rowStart);
  return {
    kind: "row-chunk",
    batch,
    rowStart,
    rowEnd,
    skipped: skipped.between(rowStart, rowEnd).map((row) => row - rowStart),
    pieces: sourcePieces(logits, rowStart, rowEnd),
    row: bodyStart + layout.row + first * 8,
    positions: layout.positions.map((place) => bodyStart + place + first * 4),
    results: results.map(
      ({ listSize, width }, n) =>
        bodyStart +
        (layout.results[n] as { values: number }).values +
        first * listSize * width,
    ),
  };
}
