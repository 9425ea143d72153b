import { DamagedColumn, readerOf } from "../src/arrow/copied-nodes.js";
import { NodeCopier, type NodeTarget } from "../src/arrow/node-copier.js";
import { outputNodes } from "../src/arrow/node-reader.js";
import type { Read } from "../src/arrow/read-window.js";
import { writeOrCompare } from "../src/io/write-or-compare.js";
import type { Kernel } from "../src/kernels/kernel.js";
import { kernelOn } from "../src/kernels/simd-kernel.js";
import type {
  CopyColumnTask,
  EntriesPart,
  EntriesSetup,
  EntriesTask,
  Reply,
  ScanTask,
  Steps,
  Task,
  WorkerContext,
} from "../src/tasks/run-tasks.js";
import { EntriesChunk } from "./entries-chunk.js";
import { loadRows } from "./load-rows.js";
import { computeRowChunk } from "./row-chunk.js";
import { damaged, readInto, TaskFailure, withSide } from "./slot-bytes.js";
import { rejectRow, SlotRows } from "./slot-rows.js";
import { RowSummer } from "./sum-rows.js";

/** Returns a function that starts tasks with its own kernel, on a worker or on the main thread. */
export function taskRunner(context: WorkerContext): (task: Task) => Steps {
  const kernel = kernelOn(context);
  let summer: RowSummer | null = null;
  function* run(task: Task): Steps<Partial<Extract<Reply, { ok: true }>>> {
    switch (task.kind) {
      case "row-chunk":
        return { badRows: yield* computeRowChunk(context, kernel, task) };
      case "scan":
        return { badRows: findBadRows(context, kernel, task) };
      case "entries":
        return computeEntries(context, kernel, task);
      case "sums":
        summer ??= new RowSummer(context, kernel);
        return yield* summer.run(task);
      case "copy":
        return {
          nulls: task.columns.flatMap((column) =>
            copyColumn(context, column, task.target),
          ),
        };
    }
  }
  return function* (task) {
    try {
      const done = yield* run(task);
      return { ok: true, badRows: [], nulls: [], part: null, ...done };
    } catch (error) {
      if (error instanceof TaskFailure)
        return { ok: false, failure: error.failure };
      throw error;
    }
  };
}

/** Computes a task without a pause. */
export function finish(steps: Steps): Reply {
  let step = steps.next();
  while (!step.done) step = steps.next();
  return step.value;
}

function findBadRows(
  context: WorkerContext,
  kernel: Kernel,
  { slot, rowStart, rowEnd, pieces }: ScanTask,
): number[] {
  const slotRows = new SlotRows(context, kernel, slot * context.slot.bytes);
  const badRows: number[] = [];
  for (let start = rowStart; start < rowEnd; start += context.loadRows) {
    const rows = Math.min(context.loadRows, rowEnd - start);
    loadRows(slotRows, pieces, start, start + rows);
    for (let r = 0; r < rows; r++)
      if (slotRows.badRowReason(r)) badRows.push(rejectRow(slotRows, r, start));
  }
  return badRows;
}

/**
 * Writes results and entries of the task's rows to the slot, until the slot is full or all rows are done. The state of a
 * row that did not fit stays in the slot for the task that continues.
 */
function computeEntries(
  context: WorkerContext,
  kernel: Kernel,
  task: EntriesTask,
): { badRows: number[]; part: EntriesPart } {
  const { slot, rowStart, rowEnd } = task;
  const rows = rowEnd - rowStart;
  const slotRows = new SlotRows(context, kernel, slot * context.slot.bytes);
  const entries = context.entries as EntriesSetup;
  const chunk = new EntriesChunk(slotRows, entries, rows);
  const from = task.from ?? { row: 0, i: -1 };
  if (!task.from) loadRows(slotRows, task.pieces, rowStart, rowEnd);
  let { row, i } = from;
  const begun = i < 0 ? row : row + 1;
  const badRows: number[] = [];
  for (; row < rows; row++, i = -1) {
    if (i < 0) {
      if (chunk.isFull) break;
      if (chunk.begin(row) === null)
        badRows.push(rejectRow(slotRows, row, rowStart));
      i = 0;
    }
    i = chunk.storeFrom(row, i);
    if (i < context.classes) break;
  }
  return {
    badRows,
    part: {
      from: begun,
      to: i < 0 ? row : Math.min(row + 1, rows),
      entries: chunk.used,
      next: row < rows ? { row, i } : null,
    },
  };
}

/**
 * Copies one column of an output record batch, which may span several input batches, to the output or to `target`.
 * Returns the number of nulls of each node.
 */
function copyColumn(
  context: WorkerContext,
  { column, pieces, nodes }: CopyColumnTask,
  target: SharedArrayBuffer | null,
): number[] {
  const read: Read = (position, bytes) => {
    const target = new Uint8Array(bytes);
    const decoded = { sourceFd: column.fd ?? -1, sourcePresent: null };
    readInto(column.fd === null ? context : decoded, target, position);
    return target;
  };
  const output = { ...context.output, memory: target };
  const write = (source: Uint8Array, position: number) =>
    withSide("output", () => writeOrCompare(output, source, position));
  try {
    return outputNodes(column, () => pieces, read).map(
      ({ node, pieces }, k) => {
        const copier = new NodeCopier(
          node,
          nodes[k] as NodeTarget,
          readerOf(node, read),
          write,
        );
        for (const piece of pieces()) copier.copy(piece);
        return copier.finish();
      },
    );
  } catch (error) {
    if (!(error instanceof DamagedColumn)) throw error;
    throw damaged(error.where, error.message);
  }
}
