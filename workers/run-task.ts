import { kernelOn } from "../src/numeric/simd-kernel.js";
import type { Reply, Task, WorkerSetup } from "../src/pool/protocol.js";
import { copyKeptColumn } from "./kept-column.js";
import { computeRowChunk } from "./row-chunk.js";
import { TaskFailure } from "./task-failure.js";

/** Runs tasks with a kernel of its own; on a worker, or on the main thread for runs too small for a pool. */
export function taskRunner(setup: WorkerSetup): (task: Task) => Reply {
  const kernel = kernelOn(setup);
  return (task) => {
    try {
      return task.kind === "row-chunk"
        ? { ok: true, badRows: computeRowChunk(setup, kernel, task), nulls: [] }
        : {
            ok: true,
            badRows: [],
            nulls: task.columns.map((column) =>
              copyKeptColumn(setup, column, task.rows),
            ),
          };
    } catch (error) {
      if (error instanceof TaskFailure)
        return { ok: false, failure: error.failure };
      throw error;
    }
  };
}
