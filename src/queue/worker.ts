import type { DatasetHooks } from "../dataset/events.js";
import { GracefulStop } from "../dataset/graceful-stop.js";
import { AbortedError, StoppedError } from "../errors.js";
import { numberOf } from "../format-number.js";
import { type CallReport, withCallReport } from "../io/report-clock.js";
import { delay } from "../io/waiting.js";
import { checkHooks, resolve } from "../options/check-options.js";
import type { Resolved } from "../options/options-table.js";
import { queueAddress } from "./broker/connection.js";
import { takeJobs } from "./broker/take-jobs.js";
import { JobHandler, WorkerCounts, type WorkerOptions } from "./job-handler.js";
import { allowedLocations } from "./job-runs.js";

/** Report of a worker: its return value, or `report` of its error. */
export interface WorkerReport extends WorkerCounts, CallReport {
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
  const fields = { queue, ...new WorkerCounts() };
  const rowsOf = ({ rowsComputed }: WorkerReport) => rowsComputed;
  return withCallReport(fields, rowsOf, async (report) => {
    const stopping = new GracefulStop({}, hooks);
    const stop = stopping.stopSignal;
    try {
      await handleJobs(resolved, hooks, report, stop);
      if (stop.aborted) throw new AbortedError();
    } catch (cause) {
      if (!(cause instanceof AbortedError)) throw cause;
      const done = report.shardsComputed;
      const text = `stopped after ${numberOf(done, "shard")}; other workers continue with the rest of the queue`;
      throw new StoppedError(done, done, { cause }, text);
    } finally {
      stopping.close();
    }
  });
}

/** Handles jobs until the worker is stopped or idle. */
async function handleJobs(
  options: Resolved<"worker">,
  hooks: DatasetHooks,
  counts: WorkerCounts,
  stop: AbortSignal,
): Promise<void> {
  const { idleLimit } = options;
  const check = await allowedLocations(options.allow ?? ["."]);
  /** Aborts S3 requests of a job that does not end in time. */
  const s3Abort = new AbortController();
  const s3 = { ...options, signal: s3Abort.signal };
  const handler = new JobHandler({ options, check, s3, counts, stop }, hooks);
  const { end } = await takeJobs(
    options,
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
}
