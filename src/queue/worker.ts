import { hostname } from "node:os";
import type { DatasetHooks } from "../dataset/events.js";
import { delay, GracefulStop, withTimeout } from "../dataset/graceful-stop.js";
import { AbortedError, SoftjacError, StoppedError } from "../errors.js";
import { type CallCost, startClock } from "../io/report-clock.js";
import { checkHooks, resolve } from "../options/check-options.js";
import type { Resolved } from "../options/options-table.js";
import { VERSION } from "../version.js";
import {
  connect,
  queueAddress,
  queueNameOf,
  reportOutages,
} from "./connection.js";
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
    const { handler, end } = await start(resolved, counts, stop, hooks);
    const isIdle = () =>
      idleLimit !== undefined &&
      handler.idleSince !== null &&
      performance.now() - handler.idleSince >= idleLimit * 1000;
    try {
      while (!stop.aborted && !isIdle())
        await delay(idleLimit ? Math.min(1, idleLimit / 4) : 60, stop);
    } finally {
      await end();
    }
    if (!stop.aborted) return finish("done");
    throw new AbortedError();
  } catch (cause) {
    const done = counts.shardsComputed;
    const text = `stopped after ${done} shards; other workers continue with the rest of the queue`;
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

/** Connects to the queue and starts taking jobs. `end` waits until the current job is done or released. */
async function start(
  options: Resolved<"worker">,
  counts: WorkerCounts,
  stop: AbortSignal,
  hooks: DatasetHooks,
): Promise<{ handler: JobHandler; end(): Promise<void> }> {
  const { allow = ["."], lease } = options;
  const check = await allowedLocations(allow);
  const connection = await connect(options, true, stop);
  const { bullmq, redis, shown, skipVersionCheck } = connection;
  const warn = (message: string) =>
    hooks.onEvent?.({ event: "warning", message });
  connection.warnings.forEach(warn);
  /** Aborts S3 requests of a job that does not end in time. */
  const s3Abort = new AbortController();
  const s3 = { ...options, signal: s3Abort.signal };
  const context = { bullmq, options, check, s3, counts, stop };
  const handler = new JobHandler(context, hooks);
  const worker = new bullmq.Worker(
    queueNameOf(options.queueName),
    (job, token) => handler.process(job, token as string),
    {
      connection: redis,
      skipVersionCheck,
      autorun: false,
      concurrency: 1,
      name: `${hostname()}-${process.pid}`,
      lockDuration: lease * 1000,
      // HeldJob renews locks by a monotonic clock.
      skipLockRenewal: true,
      stalledInterval: lease * 500,
      // rejectUsedUp counts attempts whose worker died.
      maxStalledCount: Number.MAX_SAFE_INTEGER,
      runRetryDelay: Math.min(5000, lease * 250),
    },
  );
  const meanwhile = "the current shard continues";
  const endReports = reportOutages(connection, meanwhile, warn);
  worker.on("error", (error: NodeJS.ErrnoException) => {
    const { code = "", message } = error;
    // reportOutages warns about the connection.
    if (redis.status !== "ready" || CONNECTION_CODE.test(code)) return;
    if (message.includes("Connection is closed")) return;
    warn(
      LOCK_LOST.test(message)
        ? `${message} (the queue gave the job to another worker or lost it; finished work is kept)`
        : `${shown}: ${message}`,
    );
  });
  worker.run().catch(() => {});
  return {
    handler,
    async end() {
      const closed = worker.close();
      await withTimeout(CLOSE_SECONDS, closed);
      s3Abort.abort();
      // Without an answer from the queue, the lease of the job expires by itself.
      await withTimeout(LEAVE_SECONDS, closed);
      await handler.close();
      endReports();
      redis.disconnect();
    },
  };
}

const CLOSE_SECONDS = 15;
const LEAVE_SECONDS = 6;

/** Errors of BullMQ when a job ends whose lock this worker has lost. */
const LOCK_LOST =
  /^(?:Missing (?:lock|key) for job|Lock mismatch|Job .* is not in the active state)/;

const CONNECTION_CODE = /^(?:ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|ENOTFOUND|EAI_)/;
