import { InputUnsupportedError } from "../errors.js";
import { copiedShapes } from "../input/copied-pieces.js";
import { sourceRanges } from "../input/logits-file.js";
import { inputReader } from "../input/read-input.js";
import { validityBitmap } from "../output/jacobian-batch.js";
import {
  layoutHead,
  type Piece,
  type PositionedBatch,
  positionBatch,
} from "../output/jacobian-file.js";
import type { RowRange } from "../results/row-axes.js";
import type { EntriesPart, EntriesTask } from "../tasks/run-tasks.js";
import { copyTask, tooManyItems } from "./copy-column-task.js";
import { type EntriesBatch, EntriesBatches } from "./entries-batches.js";
import { type EntriesPlan, rowsOfNextTask } from "./entries-plan.js";
import { countWritten, type RunContext } from "./run-context.js";
import { runError, runTask, runTasks, type SlotTasks } from "./run-tasks.js";

/**
 * Writes an output of unknown size, except its end: chunks are computed in any order and written in row order, one record
 * batch at a time.
 */
export async function writeEntries(
  plan: EntriesPlan,
  context: RunContext,
): Promise<void> {
  const { writer, report, logits } = context;
  let recordBatches = 0;
  const write = async (batch: EntriesBatch): Promise<void> => {
    const copied = await copyColumns(plan, context, writer.position, batch);
    report.set({ recordBatches: ++recordBatches });
    const { positioned } = copied;
    const nulls = { copied: copied.nulls, results: batch.badRows.length };
    await writer.batch(positioned, nulls, piecesOf(plan, batch, copied));
    countWritten(context, positioned.bodyBytes);
  };
  const read = inputReader(logits);
  await writer.begin(layoutHead(plan.file), logits.dictionaries, read);
  await computeEntries(plan, context, write);
}

/**
 * Runs every task and copies the slots to record batches in row order. A task keeps its slot until all rows before it are
 * copied. There is no deadlock, because the first task in order can always continue in its own slot.
 * @param write resolves when the memory of the batch may be changed
 */
export async function computeEntries(
  plan: EntriesPlan,
  context: RunContext,
  write: (batch: EntriesBatch) => Promise<void>,
): Promise<void> {
  const { buffer, logits, report } = context;
  const batches = new EntriesBatches(plan);
  let writing: Promise<void> = Promise.resolve();
  const writeAll = async (full: Iterable<EntriesBatch>): Promise<void> => {
    for (const batch of full) {
      await writing;
      writing = write(batch);
      // The next call reports the error.
      writing.catch(() => {});
    }
  };
  let entries = 0;
  const collectTask = async (
    before: Promise<void>,
    task: EntriesTask,
    { run, progress }: SlotTasks,
  ): Promise<void> => {
    const { rowStart, rowEnd } = task;
    const base = task.slot * plan.slot.bytes;
    const first = run(task);
    // Not reported yet: an earlier task may fail too, and its error is thrown first.
    first.catch(() => {});
    await before;
    const allBadRows: number[] = [];
    for (let reply = await first; ; ) {
      const { badRows } = reply;
      const part = reply.part as EntriesPart;
      await writeAll(batches.append({ buffer, base, task, part, badRows }));
      entries += part.entries;
      allBadRows.push(...badRows);
      const dropped = (offset: number) =>
        new Float64Array(buffer, base + offset, part.to).subarray(part.from);
      const { droppedMax, droppedSum } = plan.slot.entries;
      report.countDropped(dropped(droppedMax), dropped(droppedSum));
      if (!part.next) break;
      progress();
      reply = await run({ ...task, from: part.next });
    }
    report.count(rowEnd - rowStart, allBadRows);
    report.set({ entries });
  };
  /** Yields the rows of each task. Their number depends on the entries counted so far. */
  function* ranges(): Generator<RowRange> {
    const end = plan.rowStart + plan.rows;
    for (let rowStart = plan.rowStart; rowStart < end; ) {
      const rows = rowsOfNextTask(plan, report.rowsDone, entries);
      const rowEnd = Math.min(end, rowStart + rows);
      yield { rowStart, rowEnd };
      rowStart = rowEnd;
    }
  }
  let turn: Promise<void> = Promise.resolve();
  try {
    await runTasks(context, plan.slots, ranges(), (rows, slot, tasks) => {
      const pieces = sourceRanges(logits, rows.rowStart, rows.rowEnd);
      const kind = "entries" as const;
      const task = { kind, slot, ...rows, pieces, from: null };
      turn = collectTask(turn, task, tasks);
      return turn;
    });
    await writeAll(batches.rest())
      .then(() => writing)
      .catch((error) => {
        throw runError(error, context);
      });
  } finally {
    await writing.catch(() => {});
  }
}

/** Limit on the copied columns of a record batch, which are held in memory. */
const MAX_COPIED_BYTES = 2 ** 30;

interface CopiedColumns {
  positioned: PositionedBatch;
  copied: Uint8Array;
  nulls: number[];
}

/** Positions a batch at `offset`, and copies columns of the input into memory for the first bytes of its body. */
async function copyColumns(
  plan: EntriesPlan,
  context: RunContext,
  offset: number,
  batch: EntriesBatch,
): Promise<CopiedColumns> {
  const { logits } = context;
  const { rowStart, rowEnd, skipped, rows } = batch;
  const shapes = copiedShapes(logits, rowStart, rowEnd, skipped);
  const [tooMany] = tooManyItems(logits, shapes);
  if (tooMany) throw tooMany;
  const positioned = positionBatch(
    {
      rows,
      positions: plan.positions,
      results: batch.columns.slice(plan.positions).map(({ shape }) => shape),
      nullableResults: plan.onBadRow === "null",
      copied: shapes,
    },
    offset,
  );
  if (shapes.length === 0)
    return { positioned, copied: new Uint8Array(0), nulls: [] };
  const end = positioned.layout.results[0]?.validity ?? positioned.bodyBytes;
  if (end > MAX_COPIED_BYTES)
    throw new InputUnsupportedError(
      logits.path,
      `rows ${rowStart} to ${rowEnd - 1}`,
      `expected at most ${MAX_COPIED_BYTES} bytes of copied columns in a record batch, found ${end}; join them to the output by row`,
    );
  const memory = new SharedArrayBuffer(end);
  const span = { rowStart, rowEnd };
  const task = copyTask(logits, positioned, span, skipped, memory);
  const { nulls } = await runTask(context, { ...task, slot: 0 });
  return { positioned, copied: new Uint8Array(memory), nulls };
}

/** Yields the bytes of a batch's body, in ascending order. */
function* piecesOf(
  plan: EntriesPlan,
  { row, rows, offsets, columns, badRows }: EntriesBatch,
  { positioned, copied }: CopiedColumns,
): Generator<Piece> {
  const { layout } = positioned;
  yield { offset: layout.row, bytes: row };
  let firstCopied = layout.row + row.byteLength;
  for (const [n, offset] of layout.positions.entries()) {
    const { values: bytes } = columns[n] as (typeof columns)[number];
    yield { offset, bytes };
    firstCopied = offset + bytes.byteLength;
  }
  if (copied.byteLength > firstCopied)
    yield { offset: firstCopied, bytes: copied.subarray(firstCopied) };
  for (const [n, { shape, values }] of columns
    .slice(plan.positions)
    .entries()) {
    const buffers = layout.results[n] as (typeof layout.results)[number];
    if (plan.onBadRow === "null")
      yield { offset: buffers.validity, bytes: validityBitmap(rows, badRows) };
    if (shape.offsets) yield { offset: buffers.offsets, bytes: offsets };
    yield { offset: buffers.values, bytes: values };
  }
}
