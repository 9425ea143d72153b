import { WorkerError } from "../errors.js";
import { ioError, systemErrorOf, systemFailure } from "../io/system-error.js";

/** Runs tasks on threads. */
export interface Threads<Task, Reply> {
  run(task: Task): Promise<Reply>;
  close(): Promise<void>;
}

/**
 * Starts `count` piscina workers of the module `worker`: a fixed number, where piscina's default maximum is 1.5 x cores.
 * Piscina is loaded only when used.
 */
export async function openThreads<Task, Reply>(
  worker: URL,
  count: number,
  {
    workerData,
    ...resourceLimits
  }: { workerData?: unknown; maxYoungGenerationSizeMb?: number } = {},
): Promise<Threads<Task, Reply>> {
  const { Piscina } = await import("piscina");
  const pool = new Piscina<Task, Reply>({
    filename: worker.href,
    workerData,
    minThreads: count,
    maxThreads: count,
    resourceLimits,
  });
  // The failure of a worker without a task, which could not start for example, is reported here alone, and tasks would wait
  // forever. Racing one promise would keep every reply of the run in memory.
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

/** Returns the error for a thread that could not start, has ended or has thrown. Tasks reply with the errors they expect. */
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
