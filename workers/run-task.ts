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
import {
  type EntriesTable,
  placeOfEntry,
} from "../src/results/entries-table.js";
import { EntriesChunk } from "./entries-chunk.js";
import { copyKeptColumn } from "./kept-column.js";
import { loadRows } from "./load-rows.js";
import { computeRowChunk } from "./row-chunk.js";
import { writeSlot } from "./slot-bytes.js";
import { refuseRow, SlotRows } from "./slot-rows.js";
import { TaskFailure } from "./task-failure.js";

/** Runs tasks with a kernel of its own; on a worker, or on the main thread for runs too small for a pool. */
export function taskRunner(setup: WorkerSetup): (task: Task) => Reply {
  const kernel = kernelOn(setup);
  const done = (task: Task): Partial<Extract<Reply, { ok: true }>> => {
    switch (task.kind) {
      case "row-chunk":
        return { badRows: computeRowChunk(setup, kernel, task) };
      case "scan":
        return { badRows: findBadRows(setup, kernel, task) };
      case "entries":
        return computeEntries(setup, kernel, task);
      case "count":
        return countEntries(setup, kernel, task);
      case "store":
        return storeEntries(setup, kernel, task);
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

/** Reads the rows of a task load by load. Returns those without results. */
function findBadRows(
  setup: WorkerSetup,
  kernel: Kernel,
  { slot, rowStart, rowEnd, pieces }: ScanTask,
): number[] {
  const slotRows = new SlotRows(setup, kernel, slot * setup.slotBytes);
  const found: number[] = [];
  for (let start = rowStart; start < rowEnd; start += setup.loadRows) {
    const rows = Math.min(setup.loadRows, rowEnd - start);
    loadRows(slotRows, pieces, start, start + rows);
    for (let r = 0; r < rows; r++)
      if (slotRows.badRowReason(r)) found.push(refuseRow(slotRows, r, start));
  }
  return found;
}

function openChunk(
  setup: WorkerSetup,
  kernel: Kernel,
  { slot, rowStart, rowEnd }: EntriesTask | CountTask | StoreTask,
) {
  const slotRows = new SlotRows(setup, kernel, slot * setup.slotBytes);
  const entries = setup.entries as EntriesSetup;
  const rows = rowEnd - rowStart;
  return { slotRows, rows, chunk: new EntriesChunk(slotRows, entries, rows) };
}

/**
 * Computes a task of the ordered writer: writes results and entries of its rows to the slot, until it is full or the rows
 * are done. The state of a row that did not fit stays in the slot, for the task that continues.
 */
function computeEntries(
  setup: WorkerSetup,
  kernel: Kernel,
  task: EntriesTask,
): { badRows: number[]; part: EntriesPart } {
  const { slotRows, rows, chunk } = openChunk(setup, kernel, task);
  const { rowStart, rowEnd } = task;
  const from = task.from ?? { row: 0, i: -1 };
  if (!task.from) loadRows(slotRows, task.pieces, rowStart, rowEnd);
  let { row, i } = from;
  const begun = i < 0 ? row : row + 1;
  const badRows: number[] = [];
  for (; row < rows; row++, i = -1) {
    if (i < 0) {
      if (chunk.isFull) break;
      if (chunk.begin(row) === null)
        badRows.push(refuseRow(slotRows, row, rowStart));
      i = 0;
    }
    i = chunk.storeFrom(row, i);
    if (i < setup.classes) break;
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

/** Computes the first of two tasks on the same rows: their results, and the number of their entries. */
function countEntries(
  setup: WorkerSetup,
  kernel: Kernel,
  task: CountTask,
): { badRows: number[]; part: EntriesPart } {
  const { slotRows, rows, chunk } = openChunk(setup, kernel, task);
  loadRows(slotRows, task.pieces, task.rowStart, task.rowEnd);
  const badRows: number[] = [];
  let entries = 0;
  for (let row = 0; row < rows; row++) {
    const count = chunk.begin(row);
    if (count === null) badRows.push(refuseRow(slotRows, row, task.rowStart));
    else entries += count;
  }
  return { badRows, part: { from: 0, to: rows, entries, next: null } };
}

/** Output bytes of one store task: between two, others are heard. */
const STORE_BYTES = 32 << 20;

/** Computes the second task or a part of it: writes the entries to their offsets, as many at a time as fit a cache. */
function storeEntries(
  setup: WorkerSetup,
  kernel: Kernel,
  task: StoreTask,
): { part: EntriesPart } {
  const { rows, chunk } = openChunk(setup, kernel, task);
  const { entryBytes } = tableOf(setup);
  let written = 0;
  const write = () => {
    writeEntries(setup, task, task.entry + written, chunk.used);
    written += chunk.used;
    chunk.used = 0;
  };
  const isEnough = () => written * entryBytes >= STORE_BYTES;
  let { row, i } = task.from;
  for (; row < rows && !isEnough(); row++, i = 0) {
    if (chunk.counts[row] === 0) continue;
    chunk.load(row);
    for (; !isEnough(); write()) {
      i = chunk.storeFrom(row, i);
      if (i === setup.classes) break;
    }
    if (i < setup.classes) break;
  }
  write();
  const next = row < rows ? { row, i } : null;
  return { part: { from: 0, to: row, entries: written, next } };
}

function tableOf({ entries }: WorkerSetup): EntriesTable {
  return (entries as EntriesSetup).table as EntriesTable;
}

/** Writes `count` entries of the slot to their offsets in the output, which follow from the number `first` of the first. */
function writeEntries(
  setup: WorkerSetup,
  { slot }: StoreTask,
  first: number,
  count: number,
): void {
  const table = tableOf(setup);
  const { batchEntries, columns } = table;
  for (const [n, column] of columns.entries()) {
    const address = slot * setup.slotBytes + column.slot;
    for (let from = first; from < first + count; ) {
      const batchEnd = from - (from % batchEntries) + batchEntries;
      const to = Math.min(first + count, batchEnd);
      writeSlot(
        setup,
        address + (from - first) * column.width,
        (to - from) * column.width,
        placeOfEntry(table, n, from),
      );
      from = to;
    }
  }
}
