import { rowsOf } from "../dataset/dataset-plan.js";
import {
  type DatasetReport,
  publish,
  withReport,
} from "../dataset/dataset-report.js";
import type { DatasetRun } from "../dataset/dataset-run.js";
import type { DatasetHooks } from "../dataset/events.js";
import { delay } from "../dataset/graceful-stop.js";
import { openPlannedRun } from "../dataset/planned-run.js";
import type { FinalizeOptions } from "../dataset/tasks.js";
import { AbortedError, StoppedError } from "../errors.js";
import { checkHooks, resolve } from "../options/check-options.js";
import type { QueueOptions } from "./connection.js";
import type { AttemptOptions } from "./jobs.js";
import { QueueMonitor } from "./queue-monitor.js";

/** Options of `waitForDataset`. Only `output` is required; lost shards are submitted again only with `queue`. */
export interface WaitOptions
  extends Partial<QueueOptions>,
    AttemptOptions,
    FinalizeOptions {
  /** Seconds between checks of the dataset; default: 5. */
  poll?: number | undefined;
  /** Seconds after which the call ends with StoppedError; default: no limit. */
  timeLimit?: number | undefined;
}

/**
 * Waits until workers have computed all shards of a planned dataset, then publishes it. With `queue`, shards that the
 * queue lost are submitted again. The records of the dataset decide which shards are done.
 *
 * @throws SoftjacError as `finalizeDataset`; ShardsFailedError if only shards remain that failed in every attempt;
 * StoppedError; ServiceUnavailableError if the queue cannot be reached at the start
 */
export async function waitForDataset(
  options: WaitOptions,
  hooks: DatasetHooks = {},
): Promise<DatasetReport> {
  checkHooks(hooks);
  resolve("wait", options);
  const { output, run: fingerprint } = options;
  // This process computes no shards, so there is nothing to finish on a stop.
  const quiet: DatasetHooks = {
    ...hooks,
    onEvent: (event) => event.event !== "stopping" && hooks.onEvent?.(event),
  };
  return withReport(options, quiet, async (call) => {
    const { report, stopping } = call;
    const signal = stopping.stopSignal;
    const access = { ...options, signal };
    const { run } = await openPlannedRun(output, fingerprint, access);
    report.setPlan(run.plan);
    if (await run.isPublished()) {
      report.counts.skippedInputs = await run.skippedInputs();
      return report.finish("up to date");
    }
    report.setMissing(await run.unrecorded(), []);
    await untilComputed(run, options, signal, hooks);
    return publish(run, options, call);
  });
}

/** @throws StoppedError, ShardsFailedError */
async function untilComputed(
  run: DatasetRun,
  options: WaitOptions,
  signal: AbortSignal,
  hooks: DatasetHooks,
): Promise<void> {
  const { queue, poll = 5 } = options;
  const message =
    "no --queue or SOFTJAC_QUEUE given: lost shards will not be resubmitted and failures not reported";
  if (queue === undefined) hooks.onEvent?.({ event: "warning", message });
  const monitor =
    queue === undefined
      ? null
      : new QueueMonitor({ ...options, queue }, run, hooks, signal);
  const { shards } = run;
  let last: number | null = null;
  let rows = 0;
  try {
    for (;;) {
      const missing = await missingShards(run);
      if (missing.length === 0) return;
      const isFirst = last === null;
      const isSame = last === missing.length;
      last = missing.length;
      const rowsLeft = rowsOf(run.plan, missing);
      if (isFirst) rows = rowsLeft;
      if (!isSame) {
        // Progress starts at the first check, so that its rate is that of the workers.
        hooks.onProgress?.(Math.max(0, rows - rowsLeft), rows);
        const shardsDone = shards - last;
        hooks.onEvent?.({ event: "shards done", shards, shardsDone });
      }
      // While shards are being completed, the queue needs no check.
      if (isSame || isFirst) await monitor?.reconcile(missing);
      if (signal.aborted) throw new AbortedError();
      await delay(poll, signal);
    }
  } catch (cause) {
    if (!(cause instanceof AbortedError) || last === null) throw cause;
    throw new StoppedError(shards - last, shards, { cause });
  } finally {
    await monitor?.close();
  }
}

/** Returns the shards without a record; if there are none, those that differ from their record. */
async function missingShards(run: DatasetRun): Promise<number[]> {
  if (await run.isPublished()) return [];
  const unrecorded = await run.unrecorded();
  return unrecorded.length > 0 ? unrecorded : run.missing();
}
