import { kernelOn } from "../src/numeric/simd-kernel.js";
import type {
  EntriesSetup,
  Reply,
  Task,
  WorkerSetup,
} from "../src/pool/protocol.js";
import { countEntries, storeEntries } from "./counted-entries.js";
import { findBadRows } from "./find-bad-rows.js";
import { copyKeptColumn } from "./kept-column.js";
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
          nulls: task.columns.map((column) =>
            copyKeptColumn(setup, column, task.rows, task.target),
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
