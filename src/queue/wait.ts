import { checkHooks, checkPath } from "../check-options.js";
import type { DatasetReport } from "../dataset/dataset-report.js";
import type { DatasetRun } from "../dataset/dataset-run.js";
import type { DatasetHooks } from "../dataset/events.js";
import { openPlannedRun } from "../dataset/planned-run.js";
import { reported } from "../dataset/reported.js";
import type { Stopping } from "../dataset/stopping.js";
import { onDataset } from "../dataset/system-errors.js";
import type { FinalizeOptions } from "../dataset/tasks.js";
import { StoppedError } from "../errors.js";
import { s3OptionsOf } from "../store/s3-options.js";
import {
  type AttemptOptions,
  checkOptions,
  type QueueOptions,
  WAIT_OPTIONS,
} from "./options.js";
import { pause } from "./pause.js";
import { QueueKeeper } from "./queue-keeper.js";

export interface WaitOptions
  extends Partial<QueueOptions>,
    AttemptOptions,
    FinalizeOptions {
  /** Seconds from one look at the dataset to the next. */
  poll?: number | undefined;
  /** Seconds after which it ends, by StoppedError. */
  timeLimit?: number | undefined;
}

/**
 * Waits until workers have made all parts of a planned dataset, and publishes it. Goes by what the dataset has a record of;
 * with a queue, parts that no job has any more are submitted again.
 *
 * @throws SoftjacError as finalizeDataset; PartsFailedError where only parts are left that workers have given up;
 * StoppedError; as submitDataset where the queue is not there at the start
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
      const { run } = await openPlannedRun(
        output,
        fingerprint,
        s3OptionsOf(options),
      );
      report.planned(run.plan);
      return onDataset(output, async () => {
        if (await run.isPublished()) {
          report.leftOut(await run.leftOut());
          return report.finish("done already");
        }
        report.found(await run.unrecorded(), []);
        await untilMade(run, options, stopping, hooks);
        report.leftOut(await run.leftOut());
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

/** @throws StoppedError, PartsFailedError */
async function untilMade(
  run: DatasetRun,
  options: WaitOptions,
  stopping: Stopping,
  hooks: DatasetHooks,
): Promise<void> {
  const { poll = 5 } = options;
  const keeper = keeperOf(run, options, hooks);
  let last = -1;
  try {
    for (;;) {
      const missing = await missingOf(run);
      if (missing.length === 0) return;
      if (missing.length !== last) tell(run, missing, hooks);
      // While parts come, nothing needs to be done.
      if (missing.length === last || last < 0) await keeper?.look(missing);
      last = missing.length;
      if (stopping.soon.aborted)
        throw new StoppedError(run.shards - missing.length, run.shards);
      await pause(poll, stopping.soon);
    }
  } finally {
    await keeper?.close();
  }
}

function keeperOf(
  run: DatasetRun,
  { queue, queuePassword, queueName, connectTimeout, ...rest }: WaitOptions,
  hooks: DatasetHooks,
): QueueKeeper | null {
  const { attempts, backoff } = rest;
  if (queue === undefined) {
    const message =
      "expected --queue, or SOFTJAC_QUEUE, found neither: parts that the queue loses are not submitted again, and failures not told";
    hooks.onEvent?.({ event: "warning", message });
    return null;
  }
  const where = { queue, queuePassword, queueName, connectTimeout };
  return new QueueKeeper({ ...where, attempts, backoff }, run, hooks);
}

/** By the names of records; where all are there, by what parts are. */
async function missingOf(run: DatasetRun): Promise<number[]> {
  if (await run.isPublished()) return [];
  const unrecorded = await run.unrecorded();
  return unrecorded.length > 0 ? unrecorded : run.missing();
}

function tell(
  run: DatasetRun,
  missing: readonly number[],
  { onEvent, onProgress }: DatasetHooks,
): void {
  const { shards, inputs } = run.plan.of;
  const left = missing.reduce((sum, shard) => {
    const { rowStart, rowEnd } = shards[shard] as (typeof shards)[number];
    return sum + rowEnd - rowStart;
  }, 0);
  const rows = inputs.reduce((sum, input) => sum + input.rows, 0);
  onProgress?.(rows - left, rows);
  const shardsDone = run.shards - missing.length;
  onEvent?.({ event: "parts done", shards: run.shards, shardsDone });
}
