import type { Job } from "bullmq";
import { rowsOf } from "../dataset/dataset-plan.js";
import type { DatasetRun } from "../dataset/dataset-run.js";
import type { DatasetHooks } from "../dataset/events.js";
import { pause, watched, within } from "../dataset/graceful-stop.js";
import { partName } from "../dataset/names.js";
import { optionsOfParts } from "../dataset/options.js";
import { isBadInput } from "../dataset/run-files.js";
import { ShardComputer } from "../dataset/shard-computer.js";
import { AbortedError, StalledError, WorkerError } from "../errors.js";
import { isFullDisk } from "../io/system-error.js";
import type { S3Access } from "../storage/s3-options.js";
import type { Connection } from "./connection.js";
import { type LocationCheck, openJobRun } from "./job-runs.js";
import {
  failureText,
  JobRefusedError,
  type JobsRun,
  shardJob,
} from "./jobs.js";
import type { ResolvedWorkerOptions, WorkerCounts } from "./worker-options.js";

interface HandlerContext extends Pick<Connection, "bullmq"> {
  options: ResolvedWorkerOptions;
  check: LocationCheck;
  s3: S3Access;
  counts: WorkerCounts;
  /** The worker is to end. */
  stop: AbortSignal;
}

/** Computes the shards of jobs, one at a time, and tells BullMQ what became of them. */
export class JobHandler {
  /** Monotonic time since when there is no job, in milliseconds; null while there is one. */
  idleSince: number | null = performance.now();
  /** The run of the last job. Its threads and its input stay open. */
  #last: { job: JobsRun; run: DatasetRun; maker: ShardComputer } | null = null;

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
    const { options, stop } = this.context;
    this.idleSince = null;
    const held = new HeldJob(job, token, options.lease, stop);
    try {
      await this.#make(held);
    } catch (error) {
      throw await this.#failed(held, error);
    } finally {
      held.end();
      this.idleSince = performance.now();
    }
  }

  /** Ends the threads; threads that hang are abandoned. */
  async close(): Promise<void> {
    const last = this.#last;
    this.#last = null;
    if (last) await within(CLOSE_SECONDS, last.maker.close());
  }

  async #make(held: HeldJob): Promise<void> {
    const { options, counts } = this.context;
    const { shardTimeout } = options;
    const { onEvent, onProgress } = this.hooks;
    const data = shardJob(held.job.data);
    const { index } = data;
    held.shard = index;
    // Before anything that may end this process, too.
    rejectUsedUp(held.job);
    const { run, maker } = await this.#opened(data);
    if (index >= run.shards)
      throw new JobRefusedError(
        `${data.output}: run ${data.run} has only ${run.shards} shards, so there is no shard ${index}`,
      );
    held.file = partName(index, run.shards);
    const before = counts.rowsComputed;
    const rows = before + rowsOf(run.plan, [index]);
    const hooks = {
      signal: held.signal,
      onProgress: (done: number) => onProgress?.(before + done, rows),
      onEvent,
    };
    const outcome = await watched(
      shardTimeout,
      () => maker.make(index, hooks),
      () => {
        held.abandon();
        return new StalledError(
          `${maker.describe(index)}: not done within ${shardTimeout} s (--shard-timeout)`,
        );
      },
    ).catch(async (error) => {
      await this.close();
      throw error;
    });
    if (typeof outcome === "string") {
      counts.shardsUpToDate += 1;
      return;
    }
    if (outcome.event === "shard completed") {
      counts.shardsComputed += 1;
      counts.rowsComputed += outcome.rows;
      counts.bytesWritten += outcome.bytes;
      counts.badRows += outcome.badRows;
    } else {
      const { input: name, error } = outcome;
      counts.skippedInputs.push({ name, error });
    }
    onEvent?.(outcome);
  }

  async #opened(
    job: JobsRun,
  ): Promise<{ run: DatasetRun; maker: ShardComputer }> {
    const last = this.#last;
    if (last?.job.run === job.run && last.job.output === job.output)
      return last;
    await this.close();
    const { options, check, s3 } = this.context;
    const { threads, chunkRows, sync, keepGoing, stallTimeout } = options;
    const found = await openJobRun(job, check, s3);
    const { run } = found;
    const own = { threads, chunkRows, sync };
    const of = optionsOfParts(run.plan.of.options, own, run.folders.out);
    const maker = new ShardComputer({ ...found, of, keepGoing, stallTimeout });
    this.#last = { job, run, maker };
    return this.#last;
  }

  /** Reports a failed job and returns the error that BullMQ expects. */
  async #failed(held: HeldJob, error: unknown): Promise<Error> {
    const { bullmq, counts, options, stop } = this.context;
    const { diskPause } = options;
    const { onEvent } = this.hooks;
    const { job, shard, file } = held;
    const text = error instanceof Error ? error.message : String(error);
    const kind = held.isLost ? "lost" : failureKind(error);
    if (kind === "final" || kind === "passing") {
      const willRetry =
        kind === "passing" && attemptsOf(job) + 1 < maxAttempts(job);
      counts.shardsFailed += 1;
      onEvent?.({ event: "shard failed", shard, file, error: text, willRetry });
      return willRetry
        ? new Error(failureText(error))
        : new bullmq.UnrecoverableError(failureText(error));
    }
    held.end();
    counts.shardsReleased += 1;
    const reason = RELEASED[kind];
    onEvent?.({ event: "shard released", shard, file, reason });
    // Uses no attempt. If the queue does not answer, the lease expires; if it has forgotten the job, there is nothing to do.
    if (kind !== "lost")
      await within(RELEASE_SECONDS, job.moveToWait(held.token));
    if (kind === "full disk") {
      const message = `${text}; the worker takes no shards for ${diskPause} s`;
      onEvent?.({ event: "warning", message });
      // BullMQ takes no other job until this function returns.
      await pause(diskPause, stop);
    }
    return new bullmq.WaitingError();
  }
}

/** Why a job returns to the queue. */
const RELEASED = {
  lost: "its lease expired; another worker may have taken it",
  stopped: "the worker is stopping",
  "full disk": "the disk is full",
};

/** For threads to end, which they do between two chunks. */
const CLOSE_SECONDS = 10;

const RELEASE_SECONDS = 5;

/**
 * A job whose lock this worker holds, renewed by a monotonic timer: BullMQ renews by the time of day, and would lose the lock
 * when the system clock is set back.
 */
export class HeldJob {
  /** Shard, and the name of its file in messages, once the job's data is read. */
  shard = -1;
  file: string;
  /** Another worker has the job by now. */
  isLost = false;
  readonly #abandon = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #isRenewing = false;

  /** Aborted when the job is to be abandoned: its lock is lost, it takes too long, or the worker stops. */
  readonly signal: AbortSignal = this.#abandon.signal;

  /** @param stop lives for all jobs of a worker: AbortSignal.any would keep something of each of them */
  constructor(
    readonly job: Job,
    readonly token: string,
    private readonly seconds: number,
    private readonly stop: AbortSignal,
  ) {
    this.file = String(job.id);
    this.#timer = setInterval(() => this.#renew(), (seconds * 1000) / 3);
    if (stop.aborted) this.abandon();
    stop.addEventListener("abort", this.abandon);
  }

  readonly abandon = () => this.#abandon.abort();

  end(): void {
    clearInterval(this.#timer);
    this.stop.removeEventListener("abort", this.abandon);
  }

  async #renew(): Promise<void> {
    // A queue that does not answer is asked once: it may answer yet.
    if (this.#isRenewing) return;
    this.#isRenewing = true;
    const { job, token, seconds } = this;
    try {
      this.isLost = (await job.extendLock(token, seconds * 1000)) !== 1;
    } catch {
      // Without the queue no other worker gets the job, and a record counts whoever writes it.
    }
    this.#isRenewing = false;
    if (!this.isLost) return;
    this.end();
    this.abandon();
  }
}

const FINAL = [
  "ERR_INPUT_CHANGED",
  "ERR_JOB_REFUSED",
  "ERR_USAGE",
  "ERR_OUTPUT_EXISTS",
];

/**
 * Returns what a failure of a shard means to its job. `stopped` and `full disk`: it is released. `final`: another attempt
 * would end the same, on any machine. `passing`: it may not.
 */
export function failureKind(
  error: unknown,
): "stopped" | "full disk" | "final" | "passing" {
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
function rejectUsedUp(job: Job): void {
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
