import { checkHooks, checkObject } from "../check-options.js";
import type { DatasetReport } from "../dataset/dataset-report.js";
import type { DatasetHooks } from "../dataset/events.js";
import { type DatasetOptions, resolveDataset } from "../dataset/options.js";
import { openPlannedRun } from "../dataset/planned-run.js";
import { reported } from "../dataset/reported.js";
import { onDataset } from "../dataset/system-errors.js";
import { planUnder } from "../dataset/tasks.js";
import type { S3Access } from "../store/s3-options.js";
import { enqueue } from "./enqueue.js";
import { jobOptions } from "./jobs.js";
import { type OpenQueue, openQueue } from "./open-queue.js";
import {
  ATTEMPT_OPTIONS,
  type AttemptOptions,
  checkOptions,
  QUEUE_OPTIONS,
  type QueueOptions,
} from "./options.js";
import { queuedShards } from "./queued-shards.js";

/** Options of `submitDataset`. Only `inputs`, `output` and `queue` are required. */
export type SubmitOptions = DatasetOptions & QueueOptions & AttemptOptions;

/** Report of `submitDataset`. */
export interface SubmitReport extends DatasetReport {
  /** URL of the queue, without its password. */
  queue: string;
  /** Number of shards that this call submitted to the queue, and of those that were in it before. */
  submitted: number;
  queued: number;
}

/**
 * Plans a dataset and submits its shards to a queue, for workers on any machines. Shards that are computed or queued already
 * are not submitted; the same call again adds missing and failed ones.
 *
 * @throws SoftjacError as `planDataset`; ServiceUnavailableError if Redis does not answer or accepts no jobs
 */
export async function submitDataset(
  options: SubmitOptions,
  hooks: DatasetHooks = {},
): Promise<SubmitReport> {
  checkHooks(hooks);
  checkObject("options", options);
  const { queue, queuePassword, queueName, connectTimeout, ...rest } = options;
  const { attempts, backoff, ...given } = rest;
  const where = { queue, queuePassword, queueName, connectTimeout };
  checkOptions({ ...where, attempts, backoff }, [
    ...QUEUE_OPTIONS,
    ...ATTEMPT_OPTIONS,
  ]);
  const dataset = resolveDataset(given);
  const { output, work: limits } = dataset;
  return reported({ output, limits, hooks }, async (report, stopping) => {
    const open = await openQueue(where, stopping.soon);
    try {
      for (const message of open.connection.warnings)
        hooks.onEvent?.({ event: "warning", message });
      const planned = await planUnder(dataset, hooks, report, stopping);
      const s3 = { ...dataset.s3, signal: stopping.now };
      const found =
        planned.status === "planned"
          ? await submitMissing(open, planned, { attempts, backoff }, s3, hooks)
          : { submitted: 0, queued: 0 };
      return { ...planned, queue: open.connection.address.shown, ...found };
    } finally {
      await open.close();
    }
  });
}

async function submitMissing(
  open: OpenQueue,
  { output, fingerprint }: DatasetReport,
  attempts: AttemptOptions,
  s3: S3Access,
  { onEvent }: DatasetHooks,
): Promise<Pick<SubmitReport, "submitted" | "queued">> {
  const run = fingerprint as string;
  const missing = await onDataset(output, async () =>
    (await openPlannedRun(output, run, s3)).run.missing(),
  );
  const { live, submissions } = await queuedShards(open, { output, run });
  const shards = missing.filter((shard) => !live.has(shard));
  const options = jobOptions(attempts);
  await enqueue(open, { output, run }, shards, submissions, options);
  if (shards.length > 0)
    onEvent?.({
      event: "submitted",
      shards: shards.length,
      submission: submissions,
    });
  return {
    submitted: shards.length,
    queued: missing.length - shards.length,
  };
}
