import type { DatasetRun } from "../dataset/dataset-run.js";
import type { DatasetHooks } from "../dataset/events.js";
import { partName } from "../dataset/names.js";
import { AbortedError, ShardsFailedError } from "../errors.js";
import { reportOutages } from "./connection.js";
import {
  enqueue,
  isInputsFault,
  longestBackoff,
  type QueuedShards,
  queuedShards,
} from "./jobs.js";
import { type OpenQueue, openQueue } from "./open-queue.js";
import type { AttemptOptions, QueueOptions } from "./options.js";

/** Maximum number of failures whose reasons are read: nobody reads more. */
const MAX_REASONS = 100;

/** Seconds for a worker that has not looked at a delayed job yet. */
const SLACK_SECONDS = 5;

/** Looks after the jobs of a run while somebody waits for them: jobs that were lost are submitted again. */
export class QueueKeeper {
  readonly #lost = new LostShards();
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
    const { lost, failed, pending } = this.#lost.judge(missing, queued);
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

/** Result of a check of missing shards. */
interface JobStates {
  /** Shards that no job computes or will compute. */
  lost: number[];
  /** Ids of the jobs of shards that were given up. */
  failed: [shard: number, id: string][];
  /** Shards that a job computes or may still compute. */
  pending: number[];
}

/** Finds shards that are lost. A job that changes its state may be seen in neither state, so a shard is lost if two checks miss it. */
export class LostShards {
  #unseen = new Set<number>();

  judge(missing: readonly number[], queued: QueuedShards): JobStates {
    const found: JobStates = { lost: [], failed: [], pending: [] };
    const unseen = new Set<number>();
    for (const shard of missing) {
      const failed = queued.failed.get(shard);
      if (failed !== undefined) found.failed.push([shard, failed]);
      else if (queued.live.has(shard)) found.pending.push(shard);
      else if (this.#unseen.has(shard)) found.lost.push(shard);
      else {
        unseen.add(shard);
        found.pending.push(shard);
      }
    }
    this.#unseen = unseen;
    return found;
  }
}
