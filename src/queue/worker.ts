import type { DatasetHooks } from "../dataset/events.js";
import { GracefulStop } from "../dataset/graceful-stop.js";
import { AbortedError, SoftjacError, StoppedError } from "../errors.js";
import { numberOf } from "../format-number.js";
import { type CallCost, startClock } from "../io/report-clock.js";
import { delay } from "../io/waiting.js";
import { checkHooks, resolve } from "../options/check-options.js";
import { VERSION } from "../version.js";
import { queueAddress } from "./broker/connection.js";
import { takeJobs } from "./broker/take-jobs.js";
import { JobHandler, WorkerCounts, type WorkerOptions } from "./job-handler.js";
import { allowedLocations } from "./job-runs.js";

/** Report of a worker: its return value, or `report` of its error. */
export interface WorkerReport extends WorkerCounts, CallCost {
  softjac: string;
  status: "done" | "failed";
  /** URL of the queue, without its password. */
  queue: string;
}

/**
 * Computes shards from a queue until it is stopped, one at a time, each on all threads. The records of a dataset, not
 * the queue, decide which of its shards are done.
 *
 * @returns the report, after `idleLimit` seconds without work
 * @throws StoppedError after a stop, which releases the current shard; ServiceUnavailableError or PermissionError if
 * Redis cannot be reached or refuses the login at the start; UsageError; ConfigurationError
 */
export async function runWorker(
  options: WorkerOptions,
  hooks: DatasetHooks = {},
): Promise<WorkerReport> {
  checkHooks(hooks);
  const resolved = resolve("worker", options);
  const { shown: queue } = queueAddress(options);
  const { idleLimit } = options;
  const cost = startClock();
  const counts = new WorkerCounts();
  const finish = (status: WorkerReport["status"]): WorkerReport => ({
    ...{ softjac: VERSION, status, queue },
    ...counts,
    ...cost(counts.rowsComputed),
  });
  const stopping = new GracefulStop({}, hooks);
  const stop = stopping.stopSignal;
  try {
    const check = await allowedLocations(resolved.allow ?? ["."]);
    /** Aborts S3 requests of a job that does not end in time. */
    const s3Abort = new AbortController();
    const s3 = { ...resolved, signal: s3Abort.signal };
    const context = { options: resolved, check, s3, counts, stop };
    const handler = new JobHandler(context, hooks);
    const { end } = await takeJobs(
      resolved,
      (job) => handler.handle(job),
      stop,
      (message) => hooks.onEvent?.({ event: "warning", message }),
    );
    const isIdle = () =>
      idleLimit !== undefined &&
      handler.idleSince !== null &&
      performance.now() - handler.idleSince >= idleLimit * 1000;
    try {
      while (!stop.aborted && !isIdle())
        await delay(idleLimit ? Math.min(1, idleLimit / 4) : 60, stop);
    } finally {
      await end(() => s3Abort.abort());
      await handler.close();
    }
    if (!stop.aborted) return finish("done");
    throw new AbortedError();
  } catch (cause) {
    const done = counts.shardsComputed;
    const text = `stopped after ${numberOf(done, "shard")}; other workers continue with the rest of the queue`;
    const error =
      cause instanceof AbortedError
        ? new StoppedError(done, done, { cause }, text)
        : cause;
    if (error instanceof SoftjacError) error.report = finish("failed");
    throw error;
  } finally {
    stopping.close();
  }
}
