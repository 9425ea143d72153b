import type { DatasetRun } from "../dataset/dataset-run.js";
import type { DatasetHooks } from "../dataset/events.js";
import { partName } from "../dataset/names.js";
import { AbortedError, ShardsFailedError } from "../errors.js";
import { type QueueOptions, reportOutages } from "./connection.js";
import {
  type AttemptOptions,
  enqueue,
  isInputsFault,
  longestBackoff,
  type QueuedShards,
  queuedShards,
} from "./jobs.js";
import { type OpenQueue, openQueue } from "./open-queue.js";

/** Maximum number of failures whose reasons are read: nobody reads more. */
const MAX_REASONS = 100;

/** Seconds for a worker that has not looked at a delayed job yet. */
const SLACK_SECONDS = 5;

/** Looks after the jobs of a run while somebody waits for them: jobs that were lost are submitted again. */
export class QueueMonitor {
  #unseen: ReadonlySet<number> = new Set();
  /** Ids of delayed jobs, with the monotonic time when they were first seen. */
  #delayed = new Map<string, number>();
  #open: OpenQueue | null = null;
  #endReports = () => {};
  #isTold = false;
  #noWorkers = false;

  constructor(
    private readonly options: QueueOptions & AttemptOptions,
    private readonly run: DatasetRun,
    private readonly hooks: DatasetHooks,
    private readonly signal?: AbortSignal,
  ) {}

  /**
   * Checks the jobs of missing shards. If the queue does not answer, a warning says so, and the next call checks again.
   * @throws ShardsFailedError if all of them have failed in every attempt; AbortedError; at the first time as openQueue
   */
  async look(missing: readonly number[]): Promise<void> {
    this.#open ??= await this.#opened();
    // A warning has said that the connection was lost, and another will say that it is back.
    if (this.#open.connection.redis.status !== "ready") return;
    try {
      await this.#look(this.#open, missing);
      this.#isTold = false;
    } catch (error) {
      if (error instanceof ShardsFailedError || error instanceof AbortedError)
        throw error;
      if (!this.#isTold) this.#warn((error as Error).message);
      this.#isTold = true;
    }
  }

  async close(): Promise<void> {
    this.#endReports();
    await this.#open?.close();
  }

  async #opened(): Promise<OpenQueue> {
    const open = await openQueue(this.options, this.signal);
    open.connection.warnings.forEach(this.#warn);
    const goesOn = "the dataset is still checked for finished shards";
    this.#endReports = reportOutages(open.connection, goesOn, this.#warn);
    return open;
  }

  async #look(open: OpenQueue, missing: readonly number[]): Promise<void> {
    const { folders, plan } = this.run;
    const run = { output: folders.out, run: plan.fingerprint };
    const queued = await queuedShards(open, run);
    const { submissions: submission } = queued;
    const found = judge(missing, queued, this.#unseen);
    const { lost, failed, pending } = found;
    this.#unseen = found.unseen;
    if (lost.length > 0) {
      await enqueue(open, run, lost, submission, this.options);
      const { length: shards } = lost;
      this.hooks.onEvent?.({ event: "submitted", shards, submission });
    } else if (pending.length === 0 && failed.length > 0) {
      // A shard that was submitted again may have been computed since, and its job be gone.
      const still = new Set(await this.run.missing());
      const given = failed.filter(([shard]) => still.has(shard));
      if (given.length > 0) throw await this.#failure(open, given);
    } else await this.#checkWorkers(open);
    for (const id of this.#overdue(queued.delayed))
      await open.ask(async (queue) => (await queue.getJob(id))?.promote());
  }

  async #failure(
    { ask }: OpenQueue,
    failed: [shard: number, id: string][],
  ): Promise<ShardsFailedError> {
    const { folders, shards } = this.run;
    const failures = failed.map(async ([shard, id], k) => {
      const file = partName(shard, shards);
      const job =
        k < MAX_REASONS ? await ask((queue) => queue.getJob(id)) : undefined;
      return { shard, file, error: job?.failedReason || "failed" };
    });
    const found = await Promise.all(failures);
    const isInput = found.some(({ error }) => isInputsFault(error));
    return new ShardsFailedError(folders.out, found, shards, isInput);
  }

  /** Warns once each time that there are no workers. */
  async #checkWorkers({ ask, connection }: OpenQueue): Promise<void> {
    const workers = await ask((queue) => queue.getWorkersCount());
    if (workers === 0 && !this.#noWorkers)
      this.#warn(
        `${connection.shown}: no worker of this version is connected; start one with softjac worker`,
      );
    this.#noWorkers = workers === 0;
  }

  /** Returns jobs that wait too long for another attempt, because the clock of a worker was ahead. */
  #overdue(ids: readonly string[]): string[] {
    const now = performance.now();
    this.#delayed = new Map(
      ids.map((id) => [id, this.#delayed.get(id) ?? now]),
    );
    const most = (longestBackoff(this.options) + SLACK_SECONDS) * 1000;
    return ids.filter((id) => now - (this.#delayed.get(id) ?? now) > most);
  }

  readonly #warn = (message: string): void =>
    this.hooks.onEvent?.({ event: "warning", message });
}

/** Sorts missing shards by what their jobs say. */
export function judge(
  missing: readonly number[],
  { failed, live }: Pick<QueuedShards, "failed" | "live">,
  unseenBefore: ReadonlySet<number>,
) {
  const found = {
    /** Shards that no job computes or will compute. */
    lost: [] as number[],
    /** Shards that were given up, and the ids of their jobs. */
    failed: [] as [shard: number, id: string][],
    /** Shards that a job computes or may still compute. */
    pending: [] as number[],
    /** Shards among them without a job: it may be changing its state, so that only two checks prove a shard lost. */
    unseen: new Set<number>(),
  };
  for (const shard of missing) {
    const id = failed.get(shard);
    if (id !== undefined) found.failed.push([shard, id]);
    else if (live.has(shard)) found.pending.push(shard);
    else if (unseenBefore.has(shard)) found.lost.push(shard);
    else {
      found.unseen.add(shard);
      found.pending.push(shard);
    }
  }
  return found;
}
