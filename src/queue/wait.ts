import { shardFileName } from "../dataset/dataset-files.js";
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
import { AbortedError, ShardsFailedError, StoppedError } from "../errors.js";
import { checkHooks, resolve } from "../options/check-options.js";
import type { OptionsOf } from "../options/options-table.js";
import { type OpenQueue, openQueue, reportOutages } from "./connection.js";
import {
  type AttemptOptions,
  enqueue,
  isInputFailure,
  jobStates,
} from "./jobs.js";

/** Options of `waitForDataset`. Only `output` and `queue` are required. */
export interface WaitOptions extends OptionsOf<"wait"> {}

/**
 * Waits until workers have computed all shards of a planned dataset, then publishes it. Submits shards again that
 * the queue lost. The records of the dataset decide which shards are done.
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
  const { poll = 5 } = options;
  const open = await openQueue(options, signal);
  const monitor = new QueueMonitor(open, options, run, hooks);
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
      if (isSame || isFirst) await monitor.reconcile(missing);
      if (signal.aborted) throw new AbortedError();
      await delay(poll, signal);
    }
  } catch (cause) {
    if (!(cause instanceof AbortedError) || last === null) throw cause;
    throw new StoppedError(shards - last, shards, { cause });
  } finally {
    await monitor.close();
  }
}

/** Returns the shards without a record; if there are none, those that differ from their record. */
async function missingShards(run: DatasetRun): Promise<number[]> {
  if (await run.isPublished()) return [];
  const unrecorded = await run.unrecorded();
  return unrecorded.length > 0 ? unrecorded : run.missing();
}

/** Monitors the jobs of a run, and submits lost ones again. */
export class QueueMonitor {
  readonly #endReports: () => void;
  #isReported = false;
  #noWorkers = false;

  constructor(
    private readonly open: OpenQueue,
    private readonly attempts: AttemptOptions,
    private readonly run: DatasetRun,
    private readonly hooks: DatasetHooks,
  ) {
    const { connection } = open;
    connection.warnings.forEach(this.#warn);
    const meanwhile = "the dataset is still checked for finished shards";
    this.#endReports = reportOutages(connection, meanwhile, this.#warn);
  }

  /**
   * Checks the jobs of missing shards. If the queue does not answer, warns; the next call checks again.
   * @throws ShardsFailedError if all of them have failed in every attempt; AbortedError
   */
  async reconcile(missing: readonly number[]): Promise<void> {
    // reportOutages has warned.
    if (this.open.connection.redis.status !== "ready") return;
    try {
      await this.#reconcile(missing);
      this.#isReported = false;
    } catch (error) {
      if (error instanceof ShardsFailedError || error instanceof AbortedError)
        throw error;
      if (!this.#isReported) this.#warn((error as Error).message);
      this.#isReported = true;
    }
  }

  async close(): Promise<void> {
    this.#endReports();
    await this.open.close();
  }

  async #reconcile(missing: readonly number[]): Promise<void> {
    const { folders, plan, shards: total } = this.run;
    const jobs = { output: folders.out, run: plan.fingerprint };
    const states = await jobStates(this.open, jobs, missing);
    // A job may have completed its shard since the shard was found missing.
    const stillMissing = new Set(await missingShards(this.run));
    const lost = states.lost.filter((shard) => stillMissing.has(shard));
    const failures: ShardsFailedError["failed"][number][] = [];
    for (const [shard, error] of states.ended)
      if (!stillMissing.has(shard)) continue;
      else if (error === null) lost.push(shard);
      else failures.push({ shard, file: shardFileName(shard, total), error });
    const { length: shards } = lost;
    if (shards > 0) {
      await enqueue(this.open, jobs, lost, states, this.attempts);
      this.hooks.onEvent?.({ event: "submitted", shards, again: true });
    } else if (states.live === 0 && failures.length > 0) {
      const isInput = failures.some(({ error }) => isInputFailure(error));
      throw new ShardsFailedError(folders.out, failures, total, isInput);
    } else await this.#checkWorkers(this.open);
  }

  async #checkWorkers({ ask, connection }: OpenQueue): Promise<void> {
    const workers = await ask((queue) => queue.getWorkersCount());
    if (workers === 0 && !this.#noWorkers)
      this.#warn(
        `${connection.shown}: no worker of this version is connected; start one with softjac worker`,
      );
    this.#noWorkers = workers === 0;
  }

  readonly #warn = (message: string): void =>
    this.hooks.onEvent?.({ event: "warning", message });
}
