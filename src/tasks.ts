import { keptRanges } from "./input/kept-pieces.js";
import type { LogitsFile } from "./input/logits-file.js";
import { sourcePieces } from "./input/source-pieces.js";
import type { Job } from "./job.js";
import type { PlacedBatch } from "./output/jacobian-file.js";
import type { KeptTask, RowChunkTask } from "./pool/protocol.js";

/** A task still without a slot, and the output record batch that it belongs to. */
export type PendingTask = { batch: number } & (
  | Omit<RowChunkTask, "slot">
  | Omit<KeptTask, "slot">
);

/** The tasks of a run in row order: each batch's kept columns, then its chunks. Made one at a time, when there is a slot. */
export function* tasksOf(job: Job, logits: LogitsFile): Generator<PendingTask> {
  let next = 0;
  for (const [batch, placed] of job.layout.batches.entries()) {
    if (logits.kept.length > 0) yield keptTask(job, logits, placed, batch);
    for (; job.plan.chunks[next]?.batch === batch; next++)
      yield chunkTask(job, logits, placed, next);
  }
}

function chunkTask(
  { plan, results }: Job,
  logits: LogitsFile,
  { bodyStart, layout }: PlacedBatch,
  chunk: number,
): PendingTask {
  const { rowStart, rowEnd, batch } = plan.chunks[
    chunk
  ] as Job["plan"]["chunks"][number];
  const first = rowStart - (plan.batches[batch]?.rowStart ?? 0);
  return {
    kind: "row-chunk",
    batch,
    rowStart,
    rowEnd,
    pieces: sourcePieces(logits, rowStart, rowEnd),
    row: bodyStart + layout.row + first * 8,
    results: results.map(
      ({ listSize, width }, n) =>
        bodyStart +
        (layout.results[n] as { values: number }).values +
        first * listSize * width,
    ),
  };
}

function keptTask(
  { plan }: Job,
  logits: LogitsFile,
  { bodyStart, layout, shape }: PlacedBatch,
  batch: number,
): PendingTask {
  const { rowStart, rowEnd } = plan.batches[
    batch
  ] as Job["plan"]["batches"][number];
  const ranges = keptRanges(logits, rowStart, rowEnd);
  const columns = logits.kept.map((column, k) => {
    const { field, bits, offsetBytes, dictionaryValues } = column;
    const range = ranges[k] as (typeof ranges)[number];
    const at = layout.kept[k] as (typeof layout.kept)[number];
    const indexType = field.dictionary?.indexType;
    return {
      name: field.name,
      bits,
      offsetBytes,
      indexLimit: dictionaryValues,
      signed: indexType?.kind === "Int" && indexType.signed,
      validity: range.hasNulls,
      pieces: range.pieces,
      out: {
        validity: bodyStart + at.validity,
        offsets: bodyStart + at.offsets,
        values: bodyStart + at.values,
      },
      valuesBytes: range.valuesBytes,
    };
  });
  return { kind: "kept", batch, rows: shape.rows, columns };
}
