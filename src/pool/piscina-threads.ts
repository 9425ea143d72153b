import { setMaxListeners } from "node:events";
import { WorkerError } from "../errors.js";
import { ioError, systemErrorOf, systemFailure } from "../io/system-error.js";
import { orAborted } from "../io/waiting.js";

/** Runs tasks on threads. */
export interface Threads<Task, Reply> {
  run(task: Task): Promise<Reply>;
  close(): Promise<void>;
}

/**
 * Starts exactly `count` piscina workers of the module `worker` (the default maximum of piscina is 1.5 x cores). Loads
 * piscina on first use.
 */
export async function openThreads<Task, Reply>(
  worker: URL,
  count: number,
  {
    workerData,
    concurrentTasksPerWorker = 1,
    ...resourceLimits
  }: {
    workerData?: unknown;
    maxYoungGenerationSizeMb?: number;
    concurrentTasksPerWorker?: number;
  } = {},
): Promise<Threads<Task, Reply>> {
  const { Piscina } = await import("piscina");
  const pool = new Piscina<Task, Reply>({
    filename: worker.href,
    workerData,
    minThreads: count,
    maxThreads: count,
    concurrentTasksPerWorker,
    resourceLimits,
  });
  // The failure of a worker without a task (one that could not start, for example) is reported only here; without this
  // listener, tasks would wait forever.
  const failed = new AbortController();
  setMaxListeners(0, failed.signal);
  pool.on("error", (error) => failed.abort(error));
  return {
    run: (task) =>
      orAborted(
        failed.signal,
        pool.run(task),
        () => failed.signal.reason,
      ).catch((error) => {
        throw workerError(error);
      }),
    close: () => pool.destroy(),
  };
}

/** Returns the error for a thread that could not start, ended or threw. Expected failures of tasks are replies, not errors. */
function workerError(cause: unknown): Error {
  const failed = systemFailure(cause);
  const text = "could not be started";
  if (failed) return ioError("worker threads", text, systemErrorOf(failed));
  const message = cause instanceof Error ? cause.message : String(cause);
  return new WorkerError(`a worker thread failed: ${message}`, { cause });
}
