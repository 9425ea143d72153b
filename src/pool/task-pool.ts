import type { Reply, Task, WorkerSetup } from "./protocol.js";

/** Runs tasks somewhere; the caller bounds how many are in flight by its slots. */
export interface TaskPool {
  run(task: Task): Promise<Reply>;
  close(): Promise<void>;
}

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
  const { Piscina } = await import("piscina");
  const pool = new Piscina({
    filename: WORKER_URL.href,
    workerData: setup,
    // Equal, so that no thread is started or stopped during a run (the default maximum is 1.5 x cores).
    minThreads: threads,
    maxThreads: threads,
    // A worker's garbage is a few views per stride: collected early, a run's peak does not grow with its length.
    resourceLimits: { maxYoungGenerationSizeMb: 2 },
  });
  // A worker that fails while it has no task (it could not start, say) is told here alone, and tasks wait for ever.
  // Not by racing one promise, which would hold on to every reply of the run.
  const waiting = new Set<(error: unknown) => void>();
  let failed: { error: unknown } | null = null;
  pool.on("error", (error) => {
    failed ??= { error };
    for (const reject of waiting) reject(error);
  });
  return {
    run: (task) =>
      new Promise((resolve, reject) => {
        if (failed) return reject(failed.error);
        waiting.add(reject);
        pool
          .run(task)
          .then(resolve, reject)
          .finally(() => waiting.delete(reject));
      }),
    close: () => pool.destroy(),
  };
}
