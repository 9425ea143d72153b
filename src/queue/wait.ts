import { checkHooks, checkPath } from "../check-options.js";
import type { DatasetReport } from "../dataset/dataset-report.js";
import type { DatasetRun } from "../dataset/dataset-run.js";
import type { DatasetHooks } from "../dataset/events.js";
import type { Shard } from "../dataset/plan-shards.js";
import { openPlannedRun } from "../dataset/planned-run.js";
import { reported } from "../dataset/reported.js";
import type { Stopping } from "../dataset/stopping.js";
import { onDataset } from "../dataset/system-errors.js";
import type { FinalizeOptions } from "../dataset/tasks.js";
import { AbortedError, StoppedError } from "../errors.js";
import { s3OptionsOf } from "../store/s3-options.js";
import {
  type AttemptOptions,
  checkOptions,
  type QueueOptions,
  WAIT_OPTIONS,
} from "./options.js";
import { pause } from "./pause.js";
import { QueueKeeper } from "./queue-keeper.js";

/** Options of `waitForDataset`. Only `output` is required; without `queue`, lost shards are not submitted again. */
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
 * Waits until workers have computed all shards of a planned dataset, and publishes it. The records of the dataset decide which
 * shards are done; with `queue`, shards that the queue lost are submitted again.
 *
 * @throws SoftjacError as `finalizeDataset`; ShardsFailedError if only shards remain that failed in every attempt;
 * StoppedError; ServiceUnavailableError if the queue cannot be reached at the start
 */
export async function waitForDataset(
  options: WaitOptions,
  hooks: DatasetHooks = {},
): Promise<DatasetReport> {
  checkHooks(hooks);
  checkOptions(options, WAIT_OPTIONS, ["output"]);
  const { output, run: fingerprint, timeLimit } = options;
  checkPath("output", output);
  const limits = { grace: 0, timeLimit };
  return reported(
    { output, limits, hooks: quietEnd(hooks) },
    async (report, stopping) => {
      const { run } = await openPlannedRun(output, fingerprint, {
        ...s3OptionsOf(options),
        signal: stopping.soon,
      });
      report.planned(run.plan);
      return onDataset(output, async () => {
        if (await run.isPublished()) {
          report.skippedInputs(await run.leftOut());
          return report.finish("up to date");
        }
        report.found(await run.unrecorded(), []);
        await untilMade(run, options, stopping, hooks);
        report.skippedInputs(await run.leftOut());
        const { overwrite = false, allowMissing = false } = options;
        await run.publish({ overwrite, allowMissing });
        hooks.onEvent?.({ event: "published" });
        return report.finish("done");
      });
    },
  );
}

/** Nothing is under way here that would be given up. */
function quietEnd({ onEvent, ...hooks }: DatasetHooks): DatasetHooks {
  return {
    ...hooks,
    onEvent: (event) => event.event !== "stopping" && onEvent?.(event),
  };
}

/** @throws StoppedError, ShardsFailedError */
async function untilMade(
  run: DatasetRun,
  options: WaitOptions,
  stopping: Stopping,
  hooks: DatasetHooks,
): Promise<void> {
  const { poll = 5 } = options;
  const keeper = keeperOf(run, options, hooks, stopping.soon);
  let last = -1;
  let rows = 0;
  let left: number | null = null;
  try {
    for (;;) {
      const missing = await missingOf(run);
      if (missing.length === 0) return;
      left = missing.length;
      if (last < 0) rows = rowsOf(run, missing);
      if (missing.length !== last) tell(run, missing, rows, hooks);
      // While parts come, nothing needs to be done.
      if (missing.length === last || last < 0) await keeper?.look(missing);
      last = missing.length;
      if (stopping.soon.aborted)
        throw new StoppedError(run.shards - missing.length, run.shards);
      await pause(poll, stopping.soon);
    }
  } catch (error) {
    if (!(error instanceof AbortedError) || left === null) throw error;
    throw new StoppedError(run.shards - left, run.shards, { cause: error });
  } finally {
    await keeper?.close();
  }
}

function keeperOf(
  run: DatasetRun,
  { queue, queuePassword, queueName, connectTimeout, ...rest }: WaitOptions,
  hooks: DatasetHooks,
  signal: AbortSignal,
): QueueKeeper | null {
  const { attempts, backoff } = rest;
  if (queue === undefined) {
    const message =
      "no --queue or SOFTJAC_QUEUE given: lost shards will not be resubmitted and failures not reported";
    hooks.onEvent?.({ event: "warning", message });
    return null;
  }
  const where = { queue, queuePassword, queueName, connectTimeout };
  return new QueueKeeper({ ...where, attempts, backoff }, run, hooks, signal);
}

/** By the names of records; where all are there, by what parts are. */
async function missingOf(run: DatasetRun): Promise<number[]> {
  if (await run.isPublished()) return [];
  const unrecorded = await run.unrecorded();
  return unrecorded.length > 0 ? unrecorded : run.missing();
}

/** @param rows those that were missing at the first look: the rate is that of what has been made since */
function tell(
  run: DatasetRun,
  missing: readonly number[],
  rows: number,
  { onEvent, onProgress }: DatasetHooks,
): void {
  onProgress?.(Math.max(0, rows - rowsOf(run, missing)), rows);
  const shardsDone = run.shards - missing.length;
  onEvent?.({ event: "shards done", shards: run.shards, shardsDone });
}

function rowsOf({ plan }: DatasetRun, shards: readonly number[]): number {
  const spans = shards.map((shard) => plan.of.shards[shard] as Shard);
  return spans.reduce(
    (sum, { rowStart, rowEnd }) => sum + rowEnd - rowStart,
    0,
  );
}
