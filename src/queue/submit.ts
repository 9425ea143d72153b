import { type DatasetReport, withReport } from "../dataset/dataset-report.js";
import type { DatasetHooks } from "../dataset/events.js";
import { type DatasetOptions, resolveDataset } from "../dataset/options.js";
import { planWithReport } from "../dataset/run-dataset.js";
import { checkHooks, checkObject, resolve } from "../options/check-options.js";
import { openQueue, type QueueOptions } from "./broker/connection.js";
import { enqueue, queuedShards } from "./broker/queued-shards.js";
import type { AttemptOptions } from "./jobs.js";

/** Options of `submitDataset`. Only `inputs`, `output` and `queue` are required. */
export type SubmitOptions = DatasetOptions & QueueOptions & AttemptOptions;

/** Report of `submitDataset`. */
export interface SubmitReport extends DatasetReport {
  /** URL of the queue, without its password. */
  queue: string;
  /** Number of shards that this call submitted. */
  submitted: number;
  /** Number of shards that were queued before. */
  queued: number;
}

/**
 * Plans a dataset and submits its shards to a queue for workers on any machine. Shards that are up to date or queued
 * are not submitted; the same call again submits missing and failed ones.
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
  resolve("submit", { ...where, attempts, backoff });
  const dataset = resolveDataset(given);
  const { onEvent } = hooks;
  return withReport(dataset, hooks, async (call) => {
    const open = await openQueue(where, call.stopping.stopSignal);
    try {
      const { warnings, shown } = open.connection;
      for (const message of warnings) onEvent?.({ event: "warning", message });
      const plan = await planWithReport(dataset, call);
      const { run, missing, planned } = plan;
      if (missing.length === 0)
        return { ...planned, queue: shown, submitted: 0, queued: 0 };
      const jobs = { output: run.folders.out, run: run.plan.fingerprint };
      const { live, submissions: submission } = await queuedShards(open, jobs);
      const lost = missing.filter((shard) => !live.has(shard));
      const { length: shards } = lost;
      await enqueue(open, jobs, lost, submission, options);
      if (shards > 0) onEvent?.({ event: "submitted", shards, submission });
      const queued = missing.length - shards;
      return { ...planned, queue: shown, submitted: shards, queued };
    } finally {
      await open.close();
    }
  });
}
