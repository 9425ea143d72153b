import type { Kernel } from "../src/numeric/kernel.js";
import { kernelOn } from "../src/numeric/simd-kernel.js";
import type {
  CountTask,
  EntriesPart,
  EntriesSetup,
  EntriesTask,
  Reply,
  ScanTask,
  StoreTask,
  Task,
  WorkerSetup,
} from "../src/pool/protocol.js";
import { badRowReason, refuseRow } from "./describe-row.js";
import { EntriesChunk } from "./entries-chunk.js";
import { EntriesOut } from "./entries-out.js";
import { copyKeptColumn } from "./kept-column.js";
import { loadRows } from "./load-rows.js";
import { PlacedEntries } from "./placed-entries.js";
import { computeRowChunk } from "./row-chunk.js";
import { TaskFailure } from "./task-failure.js";

/** Runs tasks with a kernel of its own; on a worker, or on the main thread for runs too small for a pool. */
export function taskRunner(setup: WorkerSetup): (task: Task) => Reply {
  const kernel = kernelOn(setup);
  const entries = setup.entries as EntriesSetup;
  const done = (task: Task): Partial<Extract<Reply, { ok: true }>> => {
    switch (task.kind) {
      case "row-chunk":
        return { badRows: computeRowChunk(setup, kernel, task) };
      case "scan":
        return { badRows: findBadRows(setup, kernel, task) };
      case "entries":
        return computeEntries(setup, entries, kernel, task);
      case "count":
        return countEntries(setup, entries, kernel, task);
      case "store":
        return storeEntries(setup, entries, kernel, task);
      case "kept":
        return {
          nulls: task.columns.flatMap((column) =>
            copyKeptColumn(setup, column, task.target),
          ),
        };
    }
  };
  return (task) => {
    try {
      return { ok: true, badRows: [], nulls: [], part: null, ...done(task) };
    } catch (error) {
      if (error instanceof TaskFailure)
        return { ok: false, failure: error.failure };
      throw error;
    }
  };
}

/** Reads the rows of a task block by block. Returns those without results. */
function findBadRows(
  setup: WorkerSetup,
  kernel: Kernel,
  { slot, rowStart, rowEnd, pieces }: ScanTask,
): number[] {
  const base = slot * setup.slotBytes;
  const found: number[] = [];
  for (let start = rowStart; start < rowEnd; start += setup.loadRows) {
    const rows = Math.min(setup.loadRows, rowEnd - start);
    loadRows(setup, kernel, pieces, start, start + rows, base);
    for (let r = 0; r < rows; r++)
      if (badRowReason(setup, base, r)) {
        refuseRow(setup, base, r, start + r);
        found.push(start + r);
      }
  }
  return found;
}

/**
 * Computes a task of the ordered writer: writes results and entries of its rows to the slot, until it is full or the rows
 * are done. The state of a row that did not fit stays in the slot, for the task that continues.
 */
function computeEntries(
  setup: WorkerSetup,
  entries: EntriesSetup,
  kernel: Kernel,
  task: EntriesTask,
): { badRows: number[]; part: EntriesPart } {
  const chunk = new EntriesChunk(setup, entries, kernel, task);
  const base = task.slot * setup.slotBytes;
  const out = new EntriesOut(kernel, entries, base);
  const { rows } = chunk;
  const from = task.from ?? { row: 0, i: -1 };
  if (!task.from) chunk.load(task.pieces);
  let { row, i } = from;
  const begun = i < 0 ? row : row + 1;
  for (; row < rows; row++, i = -1) {
    if (i < 0) {
      if (out.room === 0) break;
      chunk.begin(row);
      i = 0;
    }
    i = chunk.storeFrom(row, i, out);
    if (i < setup.classes) break;
  }
  return {
    badRows: chunk.badRows,
    part: {
      from: begun,
      to: i < 0 ? row : Math.min(row + 1, rows),
      entries: out.used,
      next: row < rows ? { row, i } : null,
    },
  };
}

/** Computes the first of two tasks on the same rows: their results, and the number of their entries. */
function countEntries(
  setup: WorkerSetup,
  entries: EntriesSetup,
  kernel: Kernel,
  task: CountTask,
): { badRows: number[]; part: EntriesPart } {
  const chunk = new EntriesChunk(setup, entries, kernel, task);
  const { rows, badRows } = chunk;
  chunk.load(task.pieces);
  let found = 0;
  for (let row = 0; row < rows; row++) found += chunk.begin(row);
  return { badRows, part: { from: 0, to: rows, entries: found, next: null } };
}

/** Computes the second task or a part of it: writes the entries to their offsets, as many at a time as fit a cache. */
function storeEntries(
  setup: WorkerSetup,
  entries: EntriesSetup,
  kernel: Kernel,
  task: StoreTask,
): { part: EntriesPart } {
  const chunk = new EntriesChunk(setup, entries, kernel, task);
  const placed = new PlacedEntries(setup, entries, kernel, task);
  let { row, i } = task.from;
  for (; row < chunk.rows && !placed.enough; row++, i = 0) {
    if (chunk.countOf(row) === 0) continue;
    chunk.softmax(row);
    for (; !placed.enough; placed.write()) {
      i = chunk.storeFrom(row, i, placed.out);
      if (i === setup.classes) break;
    }
    if (i < setup.classes) break;
  }
  placed.write();
  const next = row < chunk.rows ? { row, i } : null;
  return { part: { from: 0, to: row, entries: placed.written, next } };
}
