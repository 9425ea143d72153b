import type { Job, WaitingError } from "bullmq";
import type { DatasetHooks } from "../dataset/events.js";
import { isBadInput } from "../dataset/left-out.js";
import { partName } from "../dataset/names.js";
import { optionsOfParts } from "../dataset/options.js";
import type { Shard } from "../dataset/plan-shards.js";
import type { StoredRunOver } from "../dataset/planned-run.js";
import { type ShardContext, ShardMaker } from "../dataset/shard-maker.js";
import { pause, watched, within } from "../dataset/stopping.js";
import { AbortedError, StalledError, WorkerError } from "../errors.js";
import type { RunOptions } from "../options.js";
import { isFullDisk } from "../system-error.js";
import type { Connection } from "./connection.js";
import type { JobRuns } from "./job-runs.js";
import { failureText, shardJob } from "./jobs.js";
import type { WorkerCounts } from "./worker.js";

interface HandlerContext
  extends Pick<Connection, "bullmq">,
    Pick<ShardContext, "keepGoing" | "stallTimeout"> {
  runs: JobRuns;
  /** Options of this process. */
  own: Partial<RunOptions>;
  counts: WorkerCounts;
  /** Seconds. */
  shardTimeout: number;
  lease: number;
  diskPause: number;
  /** The worker is to end. */
  stop: AbortSignal;
}

/** The job that is being computed. */
interface CurrentJob {
  job: Job;
  token: string;
  lease: Lease;
  shard: number;
  /** Name of the shard's file, as messages show it. */
  file: string;
}

/** Computes the shards of jobs, one at a time, and tells BullMQ what became of them. */
export class JobHandler {
  /** Monotonic time since when there is no job, in milliseconds; null while there is one. */
  idleSince: number | null = performance.now();
  #last: { run: StoredRunOver["run"]; maker: ShardMaker } | null = null;

  constructor(
    private readonly context: HandlerContext,
    private readonly hooks: DatasetHooks,
  ) {}

  /**
   * Computes the shard of a job, unless it is done.
   * @throws for BullMQ: WaitingError for a job that other workers may take, UnrecoverableError for one that no worker can
   * compute, other errors for another attempt
   */
  async process(job: Job, token: string): Promise<void> {
    const { lease: seconds, stop } = this.context;
    this.idleSince = null;
    const renew = async () =>
      (await job.extendLock(token, seconds * 1000)) === 1;
    const lease = new Lease(seconds, renew, stop);
    const file = String(job.id);
    const current: CurrentJob = { job, token, lease, shard: -1, file };
    try {
      await this.#make(current);
    } catch (error) {
      throw await this.#failed(current, error);
    } finally {
      lease.end();
      this.idleSince = performance.now();
    }
  }

  /** Ends the threads; threads that hang are abandoned. */
  async close(): Promise<void> {
    const last = this.#last;
    this.#last = null;
    if (last) await within(CLOSE_SECONDS, last.maker.close());
  }

  async #make(current: CurrentJob): Promise<void> {
    const { runs, counts, shardTimeout } = this.context;
    const { lease } = current;
    const { onEvent, onProgress } = this.hooks;
    const data = shardJob(current.job.data);
    const { index } = data;
    current.shard = index;
    // Before anything that may end this process, too.
    refuseUsedUp(current.job);
    const found = await runs.of(data);
    const { plan, shards } = found.run;
    current.file = partName(index, shards);
    const before = counts.rowsComputed;
    const { rowStart, rowEnd } = plan.of.shards[index] as Shard;
    const rows = before + rowEnd - rowStart;
    const maker = await this.#makerOf(found);
    const hooks = {
      signal: lease.signal,
      onProgress: (done: number) => onProgress?.(before + done, rows),
      onEvent,
    };
    const outcome = await watched(
      shardTimeout,
      () => maker.make(index, hooks),
      () => {
        lease.abandon();
        return new StalledError(
          `${maker.describe(index)}: not done within ${shardTimeout} s (--shard-timeout)`,
        );
      },
    ).catch(async (error) => {
      await this.close();
      throw error;
    });
    if (typeof outcome === "string") counts.shardsUpToDate += 1;
    else if (outcome.event === "shard completed") {
      counts.shardsComputed += 1;
      counts.rowsComputed += outcome.rows;
      counts.bytesWritten += outcome.bytes;
      counts.badRows += outcome.badRows;
    } else {
      const { input: name, error } = outcome;
      counts.skippedInputs.push({ name, error });
    }
    if (typeof outcome !== "string") onEvent?.(outcome);
  }

  /** Returns the maker of the last job's run, or another for another run. */
  async #makerOf(found: StoredRunOver): Promise<ShardMaker> {
    const { run } = found;
    if (this.#last?.run === run) return this.#last.maker;
    await this.close();
    const { own, keepGoing, stallTimeout } = this.context;
    const of = optionsOfParts(run.plan.of.options, own, run.folders.out);
    const maker = new ShardMaker({ ...found, of, keepGoing, stallTimeout });
    this.#last = { run, maker };
    return maker;
  }

  /** Reports a failed job and returns the error that BullMQ expects. */
  async #failed(current: CurrentJob, error: unknown): Promise<Error> {
    const { bullmq, counts, diskPause, stop } = this.context;
    const { onEvent } = this.hooks;
    const { job, lease, shard, file } = current;
    const text = error instanceof Error ? error.message : String(error);
    if (lease.isLost) {
      this.#released(
        current,
        "its lease expired; another worker may have taken it",
      );
      return new bullmq.WaitingError();
    }
    const kind = failureKind(error);
    if (kind === "stopped")
      return this.#release(current, "the worker is stopping");
    if (kind === "full disk") {
      const waiting = await this.#release(current, "the disk is full");
      const message = `${text}; the worker takes no shards for ${diskPause} s`;
      onEvent?.({ event: "warning", message });
      // BullMQ takes no other job until this function returns.
      await pause(diskPause, stop);
      return waiting;
    }
    const willRetry =
      kind === "passing" && attemptsOf(job) + 1 < maxAttempts(job);
    counts.shardsFailed += 1;
    onEvent?.({ event: "shard failed", shard, file, error: text, willRetry });
    return willRetry
      ? new Error(failureText(error))
      : new bullmq.UnrecoverableError(failureText(error));
  }

  /** Returns a job to the queue, without an attempt used. */
  async #release(current: CurrentJob, reason: string): Promise<WaitingError> {
    const { job, token, lease } = current;
    lease.end();
    this.#released(current, reason);
    // If the queue does not answer, the lease expires; if it has forgotten the job, there is nothing to do.
    await within(RELEASE_SECONDS, job.moveToWait(token));
    return new this.context.bullmq.WaitingError();
  }

  #released({ shard, file }: CurrentJob, reason: string): void {
    this.context.counts.shardsReleased += 1;
    this.hooks.onEvent?.({ event: "shard released", shard, file, reason });
  }
}

/** For threads to end, which they do between two chunks. */
const CLOSE_SECONDS = 10;

const RELEASE_SECONDS = 5;

/**
 * Holds a job's lock and renews it with a monotonic timer: BullMQ renews by the time of day, and would lose the lock when the
 * system clock is set back.
 */
export class Lease {
  readonly #abandon = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #isRenewing = false;
  isLost = false;

  /** Aborted when the job is to be abandoned: the lease is lost, or the worker stops. */
  readonly signal: AbortSignal = this.#abandon.signal;

  /**
   * @param renew returns false if another worker has the job by now
   * @param stop lives for all jobs of a worker: AbortSignal.any would keep something of each of them
   */
  constructor(
    seconds: number,
    private readonly renew: () => Promise<boolean>,
    private readonly stop: AbortSignal,
  ) {
    this.#timer = setInterval(() => this.#renew(), (seconds * 1000) / 3);
    if (stop.aborted) this.abandon();
    stop.addEventListener("abort", this.abandon);
  }

  end(): void {
    clearInterval(this.#timer);
    this.stop.removeEventListener("abort", this.abandon);
  }

  readonly abandon = () => this.#abandon.abort();

  async #renew(): Promise<void> {
    // A queue that does not answer is asked once: it may answer yet.
    if (this.#isRenewing) return;
    this.#isRenewing = true;
    try {
      this.isLost = !(await this.renew());
    } catch {
      // Without the queue no other worker gets the job, and a record counts whoever writes it.
    }
    this.#isRenewing = false;
    if (!this.isLost) return;
    this.end();
    this.abandon();
  }
}

/**
 * What a failure of a shard means to its job. `stopped` and `full disk`: it is released, after a full disk with a pause.
 * `final`: another attempt would end the same, on any machine. `passing`: it may not.
 */
type FailureKind = "stopped" | "full disk" | "final" | "passing";

const FINAL = [
  "ERR_INPUT_CHANGED",
  "ERR_JOB_REFUSED",
  "ERR_USAGE",
  "ERR_OUTPUT_EXISTS",
];

export function failureKind(error: unknown): FailureKind {
  if (error instanceof AbortedError) return "stopped";
  if (isFullDisk(error)) return "full disk";
  const { code = "" } = (error ?? {}) as { code?: string };
  // A thread that died may have had too little memory; other internal errors are differences between two computations.
  const isInternal = code === "ERR_INTERNAL" && !(error instanceof WorkerError);
  return isBadInput(error) || FINAL.includes(code) || isInternal
    ? "final"
    : "passing";
}

/** Releases use no attempt, so their number is limited. */
const MAX_RELEASES = 100;

/** Returns the number of attempts that failed, and of those whose worker died or lost its lease. */
function attemptsOf({ attemptsMade, stalledCounter }: Job): number {
  return attemptsMade + stalledCounter;
}

/** BullMQ has 0 for a job without a number of attempts, which is tried once. */
function maxAttempts({ opts }: Job): number {
  return Math.max(1, opts.attempts ?? 1);
}

/** @throws StalledError for a job without attempts left, or that was released too often */
function refuseUsedUp(job: Job): void {
  const attempts = maxAttempts(job);
  const ended = attemptsOf(job);
  if (ended >= attempts)
    throw new StalledError(
      `the worker died or lost its lease in the last of ${attempts} attempts (--attempts)`,
    );
  // This start is counted too.
  if (job.attemptsStarted - ended > MAX_RELEASES)
    throw new StalledError(
      `workers released it ${MAX_RELEASES} times without finishing it`,
    );
}
