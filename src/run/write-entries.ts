import { InputUnsupportedError } from "../errors.js";
import { copiedShapes } from "../input/copied-pieces.js";
import { inputReader } from "../input/read-input.js";
import { sourceRanges } from "../input/source-ranges.js";
import { headPieces } from "../output/dictionaries.js";
import { validityBitmap } from "../output/jacobian-batch.js";
import {
  batchMetadata,
  layoutEnd,
  layoutHead,
  type Piece,
  type PositionedBatch,
  positionBatch,
  streamBytes,
  tailPiece,
} from "../output/jacobian-file.js";
import { openSequential } from "../output/output-target.js";
import type { RowRange } from "../results/row-axes.js";
import type { EntriesPart, EntriesTask } from "../tasks/run-tasks.js";
import { copyTask, tooManyItems } from "./copy-column-task.js";
import { type EntriesBatch, EntriesBatches } from "./entries-batches.js";
import type { EntriesPlan } from "./entries-plan.js";
import { rowsOfNextTask } from "./entries-rows.js";
import { countWritten, type RunContext } from "./run-context.js";
import { runError, runTask, runTasks, type SlotTasks } from "./run-tasks.js";

/**
 * Writes an output of unknown size: chunks are computed in any order and written in row order, one record batch at a time.
 * @returns a function that writes the end of the file
 */
export async function writeEntries(
  plan: EntriesPlan,
  context: RunContext,
): Promise<() => Promise<void>> {
  const { output, report, logits } = context;
  const file = openSequential(output);
  const add = ({ offset, bytes }: Piece) => file.add(bytes, offset);
  const padTo = (position: number) => file.add(new Uint8Array(0), position);
  const head = layoutHead(plan.file);
  const batches: PositionedBatch[] = [];
  const write = async (batch: EntriesBatch): Promise<void> => {
    const copied = await copyColumns(plan, context, file.position, batch);
    const { positioned } = copied;
    batches.push(positioned);
    report.set({ recordBatches: batches.length });
    for (const piece of piecesOf(plan, batch, copied)) await add(piece);
    await padTo(positioned.bodyStart + positioned.bodyBytes);
    countWritten(context, positioned.bodyBytes);
  };
  try {
    const read = inputReader(logits);
    for (const piece of headPieces(head, logits.dictionaries, read))
      await add(piece);
    await padTo(head.end);
    await computeEntries(plan, context, write);
  } finally {
    await file.settled();
  }
  return async () => {
    const layout = layoutEnd(plan.file, head, batches);
    try {
      await add(tailPiece(layout, output.stream !== undefined));
      await file.finish();
    } finally {
      await file.settled();
    }
    report.set({
      outputBytes: output.stream ? streamBytes(layout) : layout.bytes,
    });
  };
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
      const task = {
        kind: "entries",
        slot,
        ...rows,
        pieces,
        from: null,
      } as const;
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
  const hasCopied = logits.copied.length > 0;
  const shapes = hasCopied
    ? copiedShapes(logits, rowStart, rowEnd, skipped)
    : [];
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
  if (!hasCopied) return { positioned, copied: new Uint8Array(0), nulls: [] };
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

/** Yields the bytes of a batch, in ascending order. */
function* piecesOf(
  plan: EntriesPlan,
  { row, rows, offsets, columns, badRows }: EntriesBatch,
  { positioned, copied, nulls }: CopiedColumns,
): Generator<Piece> {
  const { bodyStart, layout } = positioned;
  const at = (offset: number, bytes: Uint8Array): Piece => ({
    offset: bodyStart + offset,
    bytes,
  });
  yield batchMetadata(positioned, nulls, badRows.length);
  yield at(layout.row, row);
  let firstCopied = layout.row + row.byteLength;
  for (const [n, offset] of layout.positions.entries()) {
    const { values } = columns[n] as (typeof columns)[number];
    yield at(offset, values);
    firstCopied = offset + values.byteLength;
  }
  if (copied.byteLength > firstCopied)
    yield at(firstCopied, copied.subarray(firstCopied));
  for (const [n, { shape, values }] of columns
    .slice(plan.positions)
    .entries()) {
    const buffers = layout.results[n] as (typeof layout.results)[number];
    if (plan.onBadRow === "null")
      yield at(buffers.validity, validityBitmap(rows, badRows));
    if (shape.offsets) yield at(buffers.offsets, offsets);
    yield at(buffers.values, values);
  }
}
