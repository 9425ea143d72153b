import { computeEntries } from "./compute-entries.js";
import type { EntriesJob } from "./entries-job.js";
import { failureError } from "./failures.js";
import { writeBehind } from "./io/write-behind.js";
import { keptShapes } from "./kept-shapes.js";
import { keptTask } from "./kept-task.js";
import type { EntriesBatch } from "./output/entries-batch.js";
import { OrderedFile } from "./output/ordered-file.js";
import { validityBitmap } from "./output/validity-bitmap.js";
import { keepDictionaries, type Production } from "./production.js";

/** The ordered writer: record batches go to the end of the file one by one, in row order. */
export async function writeEntries(
  job: EntriesJob,
  production: Production,
): Promise<void> {
  const { output, report } = production;
  const file = new OrderedFile(output.fd, job.file);
  await computeEntries({
    ...production,
    job,
    write: (batch) => writeBatch(job, production, file, batch),
  });
  keepDictionaries(production, file.head.dictionaries);
  report.set({ outputBytes: file.finish() });
}

async function writeBatch(
  job: EntriesJob,
  { logits, pool, output, paths, report }: Production,
  file: OrderedFile,
  batch: EntriesBatch,
): Promise<void> {
  const { rowStart, rowEnd, skipped, badRows, rows } = batch;
  const nullableResults = job.onBadRow === "null";
  const kept = logits.kept.length > 0;
  const placed = file.place({
    rows,
    results: batch.columns.map(({ shape }) => shape),
    nullableResults,
    kept: kept ? keptShapes(logits, rowStart, rowEnd, skipped) : [],
  });
  const { bodyStart, layout } = placed;
  const write = (bytes: Uint8Array, offset: number) =>
    writeBehind(output.fd, bytes, bodyStart + offset);
  await write(batch.row, layout.row);
  for (const [n, { shape, values }] of batch.columns.entries()) {
    const place = layout.results[n] as (typeof layout.results)[number];
    if (nullableResults)
      await write(validityBitmap(rows, badRows), place.validity);
    if (shape.offsets) await write(batch.offsets, place.offsets);
    await write(values, place.values);
  }
  let nulls: number[] = [];
  if (kept) {
    const task = keptTask(logits, placed, { rowStart, rowEnd }, skipped);
    const reply = await pool.run({ ...task, slot: 0 });
    if (!reply.ok) throw failureError(reply.failure, paths);
    nulls = reply.nulls;
  }
  file.finishBatch(placed, nulls, badRows.length);
  output.wrote(placed.bodyBytes);
  report.set({ recordBatches: file.batches });
}
