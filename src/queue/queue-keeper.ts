import type { DatasetRun } from "../dataset/dataset-run.js";
import type { DatasetHooks } from "../dataset/events.js";
import { partName } from "../dataset/names.js";
import { AbortedError, ShardsFailedError } from "../errors.js";
import { enqueue } from "./enqueue.js";
import { isInputsFault } from "./failure-kind.js";
import { jobOptions, longestBackoff } from "./jobs.js";
import { type OpenQueue, openQueue } from "./open-queue.js";
import type { AttemptOptions, QueueOptions } from "./options.js";
import { type QueuedShards, queuedShards } from "./queued-shards.js";
import { Reachability } from "./reachability.js";

/** Reasons of failures that are looked up: more are none that anybody reads. */
const REASONS = 100;

/** For a worker that has not looked yet. */
const SLACK_SECONDS = 5;

/** Keeps a run's jobs in its queue while somebody waits for them: what is lost is submitted again. */
export class QueueKeeper {
  readonly #lost = new LostShards();
  readonly #overdue: OverdueJobs;
  #open: OpenQueue | null = null;
  #reachability: Reachability | null = null;
  #isTold = false;
  #noWorkers = false;

  constructor(
    private readonly options: QueueOptions & AttemptOptions,
    private readonly run: DatasetRun,
    private readonly hooks: DatasetHooks,
    private readonly signal?: AbortSignal,
  ) {
    this.#overdue = new OverdueJobs(longestBackoff(options) + SLACK_SECONDS);
  }

  /**
   * Looks after the shards that are missing. Where the queue stops answering, a warning says so, and the next call looks again.
   * @throws ShardsFailedError where nobody will make any of them, since all have failed; AbortedError; as openQueue at the first time
   */
  async look(missing: readonly number[]): Promise<void> {
    this.#open ??= await this.#opened();
    // A warning has said so, and another will say when it is back.
    if (!this.#reachability?.isThere) return;
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
    this.#reachability?.close();
    await this.#open?.close();
  }

  async #opened(): Promise<OpenQueue> {
    const { attempts: _, backoff: __, ...where } = this.options;
    const open = await openQueue(where, this.signal);
    const warn = (message: string) => this.#warn(message);
    open.connection.warnings.forEach(warn);
    const goesOn = "the dataset is still checked for finished shards";
    this.#reachability = new Reachability(open.connection, goesOn, warn);
    return open;
  }

  async #look(open: OpenQueue, missing: readonly number[]): Promise<void> {
    const { folders, plan } = this.run;
    const run = { output: folders.out, run: plan.fingerprint };
    const queued = await queuedShards(open, run);
    const { lost, failed, pending } = this.#lost.judge(missing, queued);
    if (lost.length > 0) {
      await enqueue(
        open,
        run,
        lost,
        queued.submissions,
        jobOptions(this.options),
      );
      const submission = queued.submissions;
      this.hooks.onEvent?.({
        event: "submitted",
        shards: lost.length,
        submission,
      });
    } else if (pending.length === 0 && failed.length > 0) {
      // One that was submitted again may have been made since, and its job be gone.
      const still = new Set(await this.run.missing());
      const given = failed.filter(([shard]) => still.has(shard));
      if (given.length > 0) throw await this.#failure(open, given);
    } else await this.#lookForWorkers(open);
    for (const id of this.#overdue.among(queued.delayed))
      await open.ask(async (queue) => (await queue.getJob(id))?.promote());
  }

  async #failure(
    { ask }: OpenQueue,
    failed: [shard: number, id: string][],
  ): Promise<ShardsFailedError> {
    const shown = failed.slice(0, REASONS).map(async ([shard, id]) => {
      const job = await ask((queue) => queue.getJob(id));
      return { shard, error: job?.failedReason || "failed" };
    });
    const found = await Promise.all(shown);
    const { out } = this.run.folders;
    return new ShardsFailedError(
      out,
      failed.map(([shard], k) => ({
        shard,
        file: partName(shard, this.run.shards),
        error: found[k]?.error ?? "failed",
      })),
      this.run.shards,
      found.some(({ error }) => isInputsFault(error)),
    );
  }

  /** Said once each time that there is none. */
  async #lookForWorkers({ ask, connection }: OpenQueue): Promise<void> {
    const workers = await ask((queue) => queue.getWorkersCount());
    if (workers === 0 && !this.#noWorkers)
      this.#warn(
        `${connection.address.shown}: no worker of this version is connected; start one with softjac worker`,
      );
    this.#noWorkers = workers === 0;
  }

  #warn(message: string): void {
    this.hooks.onEvent?.({ event: "warning", message });
  }
}

/** Result of a check of missing shards. */
interface Verdict {
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

  judge(missing: readonly number[], queued: QueuedShards): Verdict {
    const verdict: Verdict = { lost: [], failed: [], pending: [] };
    const unseen = new Set<number>();
    for (const shard of missing) {
      const failed = queued.failed.get(shard);
      if (failed !== undefined) verdict.failed.push([shard, failed]);
      else if (queued.live.has(shard)) verdict.pending.push(shard);
      else if (this.#unseen.has(shard)) verdict.lost.push(shard);
      else {
        unseen.add(shard);
        verdict.pending.push(shard);
      }
    }
    this.#unseen = unseen;
    return verdict;
  }
}

/**
 * Finds jobs that wait too long for another attempt because the clock of a worker was ahead. It measures with the monotonic
 * clock.
 */
class OverdueJobs {
  #since = new Map<string, number>();

  /** @param seconds maximum wait of a job */
  constructor(private readonly seconds: number) {}

  /** Returns the overdue ones of the jobs that wait now. */
  among(ids: Iterable<string>): string[] {
    const now = performance.now();
    const since = new Map<string, number>();
    for (const id of ids) since.set(id, this.#since.get(id) ?? now);
    this.#since = since;
    return [...since]
      .filter(([, start]) => now - start > this.seconds * 1000)
      .map(([id]) => id);
  }
}
