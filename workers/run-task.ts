import type { Kernel } from "../src/numeric/kernel.js";
import { kernelOn } from "../src/numeric/simd-kernel.js";
import type {
  EntriesSetup,
  Reply,
  ScanTask,
  Task,
  WorkerSetup,
} from "../src/pool/protocol.js";
import { countEntries, storeEntries } from "./counted-entries.js";
import { badRowReason, refuseRow } from "./describe-row.js";
import { copyKeptColumn } from "./kept-column.js";
import { loadRows } from "./load-rows.js";
import { computeEntries } from "./ordered-entries.js";
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
