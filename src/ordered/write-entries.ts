import { InputUnsupportedError } from "../errors.js";
import { failureError } from "../failures.js";
import { SequentialComparison } from "../io/sequential-comparison.js";
import { type Sequential, SequentialFile } from "../io/sequential-file.js";
import { SequentialStream } from "../io/sequential-stream.js";
import { keptShapes, tooManyItems } from "../kept-shapes.js";
import { keptTask } from "../kept-task.js";
import type { EntriesBatch } from "../output/entries-batch.js";
import {
  batchMetadata,
  endOfStream,
  headPiece,
  layoutEnd,
  layoutHead,
  type Piece,
  type PlacedBatch,
  placeBatch,
  STREAM_START,
  streamBytes,
  tailPiece,
} from "../output/jacobian-file.js";
import { validityBitmap } from "../output/validity-bitmap.js";
import { keptDictionaries, type Production } from "../production.js";
import { computeEntries } from "./compute-entries.js";
import type { EntriesJob } from "./entries-job.js";

/**
 * The ordered writer: the file is written from its start to its end, record batch by record batch, in row order.
 * @returns writes the end of the file
 */
export async function writeEntries(
  job: EntriesJob,
  production: Production,
): Promise<() => Promise<void>> {
  const { output, report } = production;
  const file: Sequential = output.stream
    ? new SequentialStream(output.stream, STREAM_START)
    : output.compare
      ? new SequentialComparison(output.fd)
      : new SequentialFile(output.fd, output.direct);
  const add = async ({ offset, bytes }: Piece) => {
    await file.padTo(offset);
    await file.add(bytes);
  };
  const head = layoutHead(job.file);
  await add(headPiece(head));
  for (const piece of keptDictionaries(production, head.dictionaries))
    await add(piece);
  await file.padTo(head.end);

  const batches: PlacedBatch[] = [];
  try {
    await computeEntries({
      ...production,
      job,
      write: async (batch) => {
        const { placed, kept, nulls } = await placeOf(
          job,
          production,
          file.position,
          batch,
        );
        batches.push(placed);
        production.onBatches?.([placed]);
        report.set({ recordBatches: batches.length });
        for (const piece of piecesOf(job, batch, placed, kept, nulls)) {
          await file.padTo(piece.offset);
          await file.add(piece.bytes);
        }
        await file.padTo(placed.bodyStart + placed.bodyBytes);
        report.wrote(placed.bodyBytes);
        output.wrote(placed.bodyBytes);
      },
    });
  } finally {
    await file.settled();
  }
  return async () => {
    const layout = layoutEnd(job.file, head, batches);
    const tail = tailPiece(layout);
    try {
      await add(output.stream ? endOfStream(tail) : tail);
      await file.finish();
    } finally {
      await file.settled();
    }
    report.set({
      outputBytes: output.stream ? streamBytes(layout) : layout.bytes,
    });
  };
}

/** Copied columns of a record batch are in memory. */
const MAX_KEPT_BYTES = 2 ** 30;

/** Places a batch at `offset`, and copies its kept columns into memory: its body's first bytes, but for `row`. */
async function placeOf(
  job: EntriesJob,
  { logits, pool, paths }: Production,
  offset: number,
  batch: EntriesBatch,
): Promise<{ placed: PlacedBatch; kept: Uint8Array; nulls: number[] }> {
  const { rowStart, rowEnd, skipped, rows } = batch;
  const isKept = logits.kept.length > 0;
  const shapes = isKept ? keptShapes(logits, rowStart, rowEnd, skipped) : [];
  const tooMany = tooManyItems(logits, shapes);
  if (tooMany) throw tooMany;
  const placed = placeBatch(
    {
      rows,
      positions: job.positions,
      results: batch.columns.slice(job.positions).map(({ shape }) => shape),
      nullableResults: job.onBadRow === "null",
      kept: shapes,
    },
    offset,
  );
  if (!isKept) return { placed, kept: new Uint8Array(0), nulls: [] };
  const end = placed.layout.results[0]?.validity ?? placed.bodyBytes;
  if (end > MAX_KEPT_BYTES)
    throw new InputUnsupportedError(
      logits.path,
      `rows ${rowStart} to ${rowEnd - 1}`,
      `expected at most ${MAX_KEPT_BYTES} bytes of copied columns in a record batch, found ${end}; join them to the output by row`,
    );
  const memory = new SharedArrayBuffer(end);
  const span = { rowStart, rowEnd };
  const task = keptTask(logits, placed, span, skipped, memory);
  const reply = await pool.run({ ...task, slot: 0 });
  if (!reply.ok) throw failureError(reply.failure, paths);
  return { placed, kept: new Uint8Array(memory), nulls: reply.nulls };
}

/** What a batch is made of, in ascending order. */
function* piecesOf(
  job: EntriesJob,
  { row, rows, offsets, columns, badRows }: EntriesBatch,
  placed: PlacedBatch,
  kept: Uint8Array,
  nulls: number[],
): Generator<Piece> {
  const { bodyStart, layout } = placed;
  const at = (offset: number, bytes: Uint8Array): Piece => ({
    offset: bodyStart + offset,
    bytes,
  });
  yield batchMetadata(placed, nulls, badRows.length);
  yield at(layout.row, row);
  let firstKept = layout.row + row.byteLength;
  for (const [n, place] of layout.positions.entries()) {
    const { values } = columns[n] as (typeof columns)[number];
    yield at(place, values);
    firstKept = place + values.byteLength;
  }
  if (kept.byteLength > firstKept)
    yield at(firstKept, kept.subarray(firstKept));
  for (const [n, { shape, values }] of columns.slice(job.positions).entries()) {
    const place = layout.results[n] as (typeof layout.results)[number];
    if (job.onBadRow === "null")
      yield at(place.validity, validityBitmap(rows, badRows));
    if (shape.offsets) yield at(place.offsets, offsets);
    yield at(place.values, values);
  }
}
