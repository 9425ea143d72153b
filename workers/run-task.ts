import { kernelOn } from "../src/numeric/simd-kernel.js";
import type {
  EntriesSetup,
  Reply,
  Task,
  WorkerSetup,
} from "../src/pool/protocol.js";
import { copyAll } from "./copy-all.js";
import { computeEntries } from "./entries-chunk.js";
import { findBadRows } from "./find-bad-rows.js";
import { copyKeptColumn } from "./kept-column.js";
import { computeRowChunk } from "./row-chunk.js";
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
        copyAll(kernel, task.copies);
        return computeEntries(
          setup,
          setup.entries as EntriesSetup,
          kernel,
          task,
        );
      case "copy":
        copyAll(kernel, task.copies);
        return {};
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
