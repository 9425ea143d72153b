import { openThreads, type Threads } from "../threads/open-threads.js";
import type { Reply, Task, WorkerSetup } from "./protocol.js";

/** Runs tasks somewhere; the caller bounds how many are in flight by its slots. */
export type TaskPool = Threads<Task, Reply>;

/** Where the built worker stands, beside the bundle that this module is part of. */
const WORKER_URL = new URL("./worker.js", import.meta.url);

/**
 * `threads` piscina workers, or for 0 the main thread itself: a run of a few MiB is over before a thread has started.
 * Modules of either side are loaded only when used.
 */
export async function openTaskPool(
  threads: number,
  setup: WorkerSetup,
): Promise<TaskPool> {
  if (threads === 0) {
    const { taskRunner } = await import("../../workers/run-task.js");
    const run = taskRunner(setup);
    return { run: async (task) => run(task), close: async () => {} };
  }
  return openThreads(WORKER_URL, threads, {
    workerData: setup,
    // A worker's garbage is a few views per stride: collected early, a run's peak does not grow with its length.
    maxYoungGenerationSizeMb: 2,
  });
}
