import type { Kernel } from "../src/numeric/kernel.js";
import { plainKernel } from "../src/numeric/plain-kernel.js";
import type { Reply, Task, WorkerSetup } from "../src/pool/protocol.js";
import { copyKeptColumn } from "./kept-column.js";
import { computeRowChunk } from "./row-chunk.js";
import { simdKernel } from "./simd-kernel.js";
import { TaskFailure } from "./task-failure.js";

/** Runs tasks with a kernel of its own; on a worker, or on the main thread for runs too small for a pool. */
export function taskRunner(setup: WorkerSetup): (task: Task) => Reply {
  const kernel: Kernel =
    setup.module && setup.memory
      ? simdKernel(setup.module, setup.memory)
      : plainKernel(setup.buffer);
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
