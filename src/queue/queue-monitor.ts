import { shardFileName } from "../dataset/dataset-files.js";
import type { DatasetRun } from "../dataset/dataset-run.js";
import type { DatasetHooks } from "../dataset/events.js";
import { AbortedError, ShardsFailedError } from "../errors.js";
import { type QueueOptions, reportOutages } from "./connection.js";
import {
  type AttemptOptions,
  enqueue,
  isInputFailure,
  maxBackoff,
  type QueuedShards,
  queuedShards,
} from "./jobs.js";
import { type OpenQueue, openQueue } from "./open-queue.js";

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
    if (this.#open.connection.redis.status !== "ready") return;
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
    const states = findLostShards(missing, queued, this.#unseen);
    const { lost, failed, pending } = states;
    this.#unseen = states.unseen;
    if (lost.length > 0) {
      await enqueue(open, run, lost, submission, this.options);
      const { length: shards } = lost;
      this.hooks.onEvent?.({ event: "submitted", shards, submission });
    } else if (pending.length === 0 && failed.length > 0) {
      // A later job may have completed a shard since it was found missing, and been removed.
      const stillMissing = new Set(await this.run.missing());
      const givenUp = failed.filter(([shard]) => stillMissing.has(shard));
      if (givenUp.length > 0) throw await this.#failure(open, givenUp);
    } else await this.#checkWorkers(open);
    for (const id of this.#overdue(queued.delayed))
      await open.ask(async (queue) => (await queue.getJob(id))?.promote());
  }

  async #failure(
    { ask }: OpenQueue,
    failed: [shard: number, id: string][],
  ): Promise<ShardsFailedError> {
    const { folders, shards } = this.run;
    const found = failed.map(async ([shard, id], k) => {
      const file = shardFileName(shard, shards);
      const job =
        k < MAX_REASONS ? await ask((queue) => queue.getJob(id)) : undefined;
      return { shard, file, error: job?.failedReason || "failed" };
    });
    const failures = await Promise.all(found);
    const isInput = failures.some(({ error }) => isInputFailure(error));
    return new ShardsFailedError(folders.out, failures, shards, isInput);
  }

  async #checkWorkers({ ask, connection }: OpenQueue): Promise<void> {
    const workers = await ask((queue) => queue.getWorkersCount());
    if (workers === 0 && !this.#noWorkers)
      this.#warn(
        `${connection.shown}: no worker of this version is connected; start one with softjac worker`,
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

/** Classifies missing shards by their jobs. */
export function findLostShards(
  missing: readonly number[],
  { failed, live }: Pick<QueuedShards, "failed" | "live">,
  unseenBefore: ReadonlySet<number>,
) {
  const states = {
    /** Shards without a job in this check and the one before. */
    lost: [] as number[],
    /** Shards that failed in all attempts, with the ids of their jobs. */
    failed: [] as [shard: number, id: string][],
    /** Shards whose job is running, waiting or delayed, and all unseen shards. */
    pending: [] as number[],
    /** Shards without a job in this check only: a scan may miss a job that changes its state. */
    unseen: new Set<number>(),
  };
  for (const shard of missing) {
    const id = failed.get(shard);
    if (id !== undefined) states.failed.push([shard, id]);
    else if (live.has(shard)) states.pending.push(shard);
    else if (unseenBefore.has(shard)) states.lost.push(shard);
    else {
      states.unseen.add(shard);
      states.pending.push(shard);
    }
  }
  return states;
}
