import { WorkerError } from "../errors.js";
import { ioError, systemErrorOf, systemFailure } from "../system-error.js";

/** Runs tasks on threads. */
export interface Threads<Task, Reply> {
  run(task: Task): Promise<Reply>;
  close(): Promise<void>;
}

export interface ThreadOptions {
  /** Given to each thread when it starts. */
  workerData?: unknown;
  maxYoungGenerationSizeMb?: number;
}

/**
 * `count` piscina workers of the module `worker`: as many from the start to the end (piscina's default maximum is 1.5 x
 * cores). Piscina is loaded only when used.
 */
export async function openThreads<Task, Reply>(
  worker: URL,
  count: number,
  { workerData, ...resourceLimits }: ThreadOptions = {},
): Promise<Threads<Task, Reply>> {
  const { Piscina } = await import("piscina");
  const pool = new Piscina<Task, Reply>({
    filename: worker.href,
    workerData,
    minThreads: count,
    maxThreads: count,
    resourceLimits,
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
        const fail = (error: unknown) => reject(workerError(error));
        if (failed) return fail(failed.error);
        waiting.add(fail);
        pool
          .run(task)
          .then(resolve, fail)
          .finally(() => waiting.delete(fail));
      }),
    close: () => pool.destroy(),
  };
}

/**
 * Returns the error for a thread that the system or a missing file has ended, or that has thrown: tasks answer with what
 * they meet, so that is the end of a thread, or a bug.
 */
function workerError(cause: unknown): Error {
  const failed = systemFailure(cause);
  if (failed)
    return ioError(
      "worker threads",
      "could not be started",
      systemErrorOf(failed),
    );
  const message = cause instanceof Error ? cause.message : String(cause);
  return new WorkerError(`a worker thread failed: ${message}`, { cause });
}
