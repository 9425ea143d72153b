import { shardFileName } from "../dataset/dataset-files.js";
import { rowsOf } from "../dataset/dataset-plan.js";
import {
  type DatasetReport,
  publish,
  withReport,
} from "../dataset/dataset-report.js";
import type { DatasetRun } from "../dataset/dataset-run.js";
import type { DatasetHooks } from "../dataset/events.js";
import { openPlannedRun } from "../dataset/planned-run.js";
import { AbortedError, ShardsFailedError, StoppedError } from "../errors.js";
import { delay } from "../io/waiting.js";
import { checkHooks, resolve } from "../options/check-options.js";
import type { OptionsOf } from "../options/options-table.js";
import {
  type OpenQueue,
  openQueue,
  type QueueOptions,
  reportOutages,
} from "./broker/connection.js";
import {
  countWorkers,
  enqueue,
  failureOf,
  maxBackoff,
  queuedShards,
  retryNow,
} from "./broker/queued-shards.js";
import { type AttemptOptions, isInputFailure, isLostData } from "./jobs.js";

/** Options of `waitForDataset`. Only `output` is required; lost shards are submitted again only with `queue`. */
export interface WaitOptions extends OptionsOf<"wait"> {}

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
    report.setMissing(await run.included(), await run.unrecorded(), []);
    await untilComputed(run, options, signal, hooks);
    return publish(run, options, call);
  });
}

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
  let shardsDone = 0;
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
        shardsDone = (await run.included()) - last;
        hooks.onEvent?.({ event: "shards done", shards, shardsDone });
      }
      // While shards are being completed, the queue needs no check.
      if (isSame || isFirst) await monitor?.reconcile(missing);
      if (signal.aborted) throw new AbortedError();
      await delay(poll, signal);
    }
  } catch (cause) {
    if (!(cause instanceof AbortedError) || last === null) throw cause;
    throw new StoppedError(shardsDone, shards, { cause });
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

interface ShardFailure {
  shard: number;
  file: string;
  error: string;
}

/** Maximum number of failures whose errors are fetched. */
const MAX_REASONS = 100;

/** Seconds within which an idle worker notices that the delay of a job has ended. */
const SLACK_SECONDS = 5;

/** Monitors the jobs of a run, and submits lost ones again. */
export class QueueMonitor {
  /** Missing shards without a job at the last check. */
  #unseen: ReadonlySet<number> = new Set();
  /** Ids of delayed jobs, with the monotonic time in milliseconds when each was first seen. */
  #delayed = new Map<string, number>();
  #open: OpenQueue | null = null;
  #endReports = () => {};
  #isReported = false;
  #noWorkers = false;

  constructor(
    private readonly options: QueueOptions & AttemptOptions,
    private readonly run: DatasetRun,
    private readonly hooks: DatasetHooks,
    private readonly signal?: AbortSignal,
  ) {}

  /**
   * Checks the jobs of missing shards. If the queue does not answer, warns; the next call checks again.
   * @throws ShardsFailedError if all of them have failed in every attempt; AbortedError; at the first call as openQueue
   */
  async reconcile(missing: readonly number[]): Promise<void> {
    this.#open ??= await this.#opened();
    // reportOutages has warned.
    if (!this.#open.isReady()) return;
    try {
      await this.#reconcile(this.#open, missing);
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
    await this.#open?.close();
  }

  async #opened(): Promise<OpenQueue> {
    const open = await openQueue(this.options, this.signal);
    open.connection.warnings.forEach(this.#warn);
    const meanwhile = "the dataset is still checked for finished shards";
    this.#endReports = reportOutages(open.connection, meanwhile, this.#warn);
    return open;
  }

  async #reconcile(open: OpenQueue, missing: readonly number[]): Promise<void> {
    const { folders, plan } = this.run;
    const run = { output: folders.out, run: plan.fingerprint };
    const queued = await queuedShards(open, run);
    const { submissions: submission } = queued;
    const failed = missing.filter((shard) => queued.failed.has(shard));
    // A scan may miss a job that changes its state, so a shard is lost if two scans in a row miss it.
    const unseen = missing.filter(
      (shard) => !queued.failed.has(shard) && !queued.live.has(shard),
    );
    const before = this.#unseen;
    const lost = unseen.filter((shard) => before.has(shard));
    this.#unseen = new Set(unseen.filter((shard) => !before.has(shard)));
    const submit = async (indices: readonly number[]) => {
      await enqueue(open, run, indices, submission, this.options);
      const { length: shards } = indices;
      this.hooks.onEvent?.({ event: "submitted", shards, submission });
    };
    if (lost.length > 0) await submit(lost);
    else if (failed.length === missing.length) {
      // A later job may have completed a shard since it was found missing, and been removed.
      const stillMissing = new Set(await this.run.missing());
      const givenUp = failed.filter((shard) => stillMissing.has(shard));
      const failures = await this.#failures(open, givenUp, queued.failed);
      const emptied = failures.filter(({ error }) => isLostData(error));
      if (emptied.length > 0) await submit(emptied.map(({ shard }) => shard));
      else if (failures.length > 0) throw this.#failure(failures);
    } else await this.#checkWorkers(open);
    for (const id of this.#overdue(queued.delayed)) await retryNow(open, id);
  }

  /** Returns failed shards with their errors. */
  #failures(
    open: OpenQueue,
    failed: readonly number[],
    ids: ReadonlyMap<number, string>,
  ): Promise<ShardFailure[]> {
    const found = failed.map(async (shard, k) => {
      const file = shardFileName(shard, this.run.shards);
      const id = ids.get(shard) as string;
      const error = k < MAX_REASONS && (await failureOf(open, id));
      return { shard, file, error: error || "failed" };
    });
    return Promise.all(found);
  }

  #failure(failures: ShardFailure[]): ShardsFailedError {
    const { folders, shards } = this.run;
    const isInput = failures.some(({ error }) => isInputFailure(error));
    return new ShardsFailedError(folders.out, failures, shards, isInput);
  }

  async #checkWorkers(open: OpenQueue): Promise<void> {
    const workers = await countWorkers(open);
    if (workers === 0 && !this.#noWorkers)
      this.#warn(
        `${open.connection.shown}: no worker of this version is connected; start one with softjac worker`,
      );
    this.#noWorkers = workers === 0;
  }

  /** Returns jobs that wait too long for another attempt, as they do if the clock of a worker was ahead. */
  #overdue(ids: readonly string[]): string[] {
    const now = performance.now();
    this.#delayed = new Map(
      ids.map((id) => [id, this.#delayed.get(id) ?? now]),
    );
    const maxDelay = (maxBackoff(this.options) + SLACK_SECONDS) * 1000;
    return ids.filter((id) => now - (this.#delayed.get(id) ?? now) > maxDelay);
  }

  readonly #warn = (message: string): void =>
    this.hooks.onEvent?.({ event: "warning", message });
}
