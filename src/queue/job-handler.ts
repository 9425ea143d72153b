import type { Job } from "bullmq";
import { shardFileName } from "../dataset/dataset-files.js";
import { rowsOf } from "../dataset/dataset-plan.js";
import type { DatasetRun } from "../dataset/dataset-run.js";
import type { DatasetHooks } from "../dataset/events.js";
import { delay, withTimeout, withWatchdog } from "../dataset/graceful-stop.js";
import { shardOptions } from "../dataset/options.js";
import { ShardComputer } from "../dataset/shard-computer.js";
import { StalledError } from "../errors.js";
import type { OptionsOf, Resolved } from "../options/options-table.js";
import type { StoreAccess } from "../storage/store.js";
import type { Connection } from "./connection.js";
import { type LocationCheck, openJobRun } from "./job-runs.js";
import {
  attemptsOf,
  failureKind,
  failureText,
  JobRefusedError,
  type JobsRun,
  parseShardJob,
  rejectUsedUp,
} from "./jobs.js";

/** Options of `runWorker`. Only `queue` is required. */
export interface WorkerOptions extends OptionsOf<"worker"> {}

/** Totals in the report of a worker. */
export class WorkerCounts {
  shardsComputed = 0;
  shardsUpToDate = 0;
  /** Number of failed attempts. */
  shardsFailed = 0;
  /** Number of shards that were returned to the queue. */
  shardsReleased = 0;
  rowsComputed = 0;
  bytesWritten = 0;
  badRows = 0;
  /** Inputs that were skipped, with the error of each. */
  skippedInputs: { name: string; error: string }[] = [];
}

interface HandlerContext extends Pick<Connection, "bullmq"> {
  options: Resolved<"worker">;
  check: LocationCheck;
  s3: StoreAccess;
  counts: WorkerCounts;
  /** Aborted when the worker stops. */
  stop: AbortSignal;
}

type RunOfJob = { job: JobsRun; run: DatasetRun; computer: ShardComputer };

/** Computes the shards of jobs, one at a time, and reports the outcomes to BullMQ. */
export class JobHandler {
  /** Monotonic time when the last job ended, in milliseconds; null during a job. */
  idleSince: number | null = performance.now();
  /** Run of the last job, whose threads and input stay open for the next job. */
  #last: RunOfJob | null = null;

  constructor(
    private readonly context: HandlerContext,
    private readonly hooks: DatasetHooks,
  ) {}

  /**
   * Computes the shard of a job, unless it is up to date.
   * @throws for BullMQ: WaitingError to release the job to other workers, UnrecoverableError if no worker can compute
   * it, any other error for another attempt
   */
  async process(job: Job, token: string): Promise<void> {
    const { options, stop } = this.context;
    this.idleSince = null;
    const held = new HeldJob(job, token, options.lease, stop);
    try {
      await this.#computeShard(held);
    } catch (error) {
      throw await this.#failed(held, error);
    } finally {
      held.end();
      this.idleSince = performance.now();
    }
  }

  /** Ends the threads, and abandons those that hang. */
  async close(): Promise<void> {
    const last = this.#last;
    this.#last = null;
    if (last) await withTimeout(CLOSE_SECONDS, last.computer.close());
  }

  async #computeShard(held: HeldJob): Promise<void> {
    const { options, counts } = this.context;
    const { shardTimeout } = options;
    const { onEvent, onProgress } = this.hooks;
    const data = parseShardJob(held.job.data);
    const { index } = data;
    held.shard = index;
    // Comes first: a shard whose computation crashes the process must run out of attempts.
    rejectUsedUp(held.job);
    const { run, computer } = await this.#openRun(data);
    if (index >= run.shards)
      throw new JobRefusedError(
        `${data.output}: run ${data.run} has only ${run.shards} shards, so there is no shard ${index}`,
      );
    held.file = shardFileName(index, run.shards);
    const before = counts.rowsComputed;
    const rows = before + rowsOf(run.plan, [index]);
    const hooks = {
      signal: held.signal,
      onProgress: (done: number) => onProgress?.(before + done, rows),
      onEvent,
    };
    const compute = () => computer.compute(index, hooks);
    const stalled = () => {
      held.abandon();
      return new StalledError(
        `${computer.describe(index)}: not done within ${shardTimeout} s (--shard-timeout)`,
      );
    };
    const computed = withWatchdog(shardTimeout, compute, stalled);
    const outcome = await computed.catch(async (error) => {
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

  async #openRun(job: JobsRun): Promise<RunOfJob> {
    const last = this.#last;
    if (last?.job.run === job.run && last.job.output === job.output)
      return last;
    await this.close();
    const { options, check, s3 } = this.context;
    const { threads, chunkRows, sync, keepGoing, stallTimeout } = options;
    const opened = await openJobRun(job, check, s3);
    const { run } = opened;
    const own = { threads, chunkRows, sync };
    const optionsFor = shardOptions(run.plan.of.options, own, run.folders.out);
    const settings = { optionsFor, keepGoing, stallTimeout };
    const computer = new ShardComputer({ ...opened, ...settings });
    this.#last = { job, run, computer };
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
      const { ended, attempts } = attemptsOf(job);
      const willRetry = kind === "passing" && ended + 1 < attempts;
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
    // A release uses no attempt. It may fail: without the queue the lease expires, and a removed job needs no release.
    if (kind !== "lost")
      await withTimeout(RELEASE_SECONDS, job.moveToWait(held.token));
    if (kind === "full disk") {
      const message = `${text}; the worker takes no shards for ${diskPause} s`;
      onEvent?.({ event: "warning", message });
      // BullMQ starts no other job before this function returns.
      await delay(diskPause, stop);
    }
    return new bullmq.WaitingError();
  }
}

/** Reasons for returning a job to the queue. */
const RELEASED = {
  lost: "its lease expired; another worker may have taken it",
  stopped: "the worker is stopping",
  "full disk": "the disk is full",
};

/** Time limit for threads to end, which they do between two chunks. */
const CLOSE_SECONDS = 10;

const RELEASE_SECONDS = 5;

/**
 * A job whose lock this worker holds. A monotonic timer renews it: BullMQ renews by the time of day, and would lose the
 * lock when the system clock is set back.
 */
export class HeldJob {
  /** Index of the shard and name of its file; before the data of the job is parsed, -1 and the id of the job. */
  shard = -1;
  file: string;
  /** Whether the lock has expired, so that another worker may have the job. */
  isLost = false;
  readonly #abandon = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #isRenewing = false;

  /** Aborted when the lock is lost, the shard takes too long, or the worker stops. */
  readonly signal: AbortSignal = this.#abandon.signal;

  /** @param stop signal of the worker; AbortSignal.any would add memory to it with every job */
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
    // The last request is still waiting for Redis.
    if (this.#isRenewing) return;
    this.#isRenewing = true;
    const { job, token, seconds } = this;
    try {
      this.isLost = (await job.extendLock(token, seconds * 1000)) !== 1;
    } catch {
      // Without Redis no other worker gets the job, and a record of the shard is valid whoever writes it.
    }
    this.#isRenewing = false;
    if (!this.isLost) return;
    this.end();
    this.abandon();
  }
}
