import { shardFileName } from "../dataset/dataset-files.js";
import { rowsOf } from "../dataset/dataset-plan.js";
import type { DatasetRun } from "../dataset/dataset-run.js";
import type { DatasetHooks } from "../dataset/events.js";
import { shardOptions } from "../dataset/options.js";
import { ShardComputer } from "../dataset/shard-computer.js";
import { StalledError } from "../errors.js";
import { delay, withTimeout, withWatchdog } from "../io/waiting.js";
import type { OptionsOf, Resolved } from "../options/options-table.js";
import type { StoreAccess } from "../storage/store.js";
import { type LocationCheck, openJobRun } from "./job-runs.js";
import {
  failureKind,
  failureText,
  type JobEnd,
  JobRefusedError,
  type JobsRun,
  parseShardJob,
  type TakenJob,
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

interface HandlerContext {
  options: Resolved<"worker">;
  check: LocationCheck;
  s3: StoreAccess;
  counts: WorkerCounts;
  /** Aborted when the worker stops. */
  stop: AbortSignal;
}

type RunOfJob = { job: JobsRun; run: DatasetRun; computer: ShardComputer };

/** Computes the shards of jobs, one at a time. */
export class JobHandler {
  /** Monotonic time when the last job ended, in milliseconds; null during a job. */
  idleSince: number | null = performance.now();
  /** Run of the last job, whose threads and input stay open for the next job. */
  #last: RunOfJob | null = null;

  constructor(
    private readonly context: HandlerContext,
    private readonly hooks: DatasetHooks,
  ) {}

  /** Computes the shard of a job, unless it is up to date. */
  async handle(job: TakenJob): Promise<JobEnd> {
    this.idleSince = null;
    const shard = { index: -1, file: job.id };
    try {
      await this.#computeShard(job, shard);
      return { kind: "done" };
    } catch (error) {
      return await this.#failed(job, shard, error);
    } finally {
      this.idleSince = performance.now();
    }
  }

  /** Ends the threads, and abandons those that hang. */
  async close(): Promise<void> {
    const last = this.#last;
    this.#last = null;
    if (last) await withTimeout(CLOSE_SECONDS, last.computer.close());
  }

  /** @param shard index of the shard and name of its file, once they are known */
  async #computeShard(job: TakenJob, shard: JobShard): Promise<void> {
    const { options, counts } = this.context;
    const { shardTimeout } = options;
    const { onEvent, onProgress } = this.hooks;
    const data = parseShardJob(job.data);
    const { index } = data;
    shard.index = index;
    // Comes first: a shard whose computation crashes the process must run out of attempts.
    job.rejectUsedUp();
    const { run, computer } = await this.#openRun(data);
    if (index >= run.shards)
      throw new JobRefusedError(
        `${data.output}: run ${data.run} has only ${run.shards} shards, so there is no shard ${index}`,
      );
    shard.file = shardFileName(index, run.shards);
    const before = counts.rowsComputed;
    const rows = before + rowsOf(run.plan, [index]);
    const hooks = {
      signal: job.signal,
      onProgress: (done: number) => onProgress?.(before + done, rows),
      onEvent,
    };
    const compute = () => computer.compute(index, hooks);
    const stalled = () => {
      job.abandon();
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
    const opened = await openJobRun(job, check, s3);
    const { run } = opened;
    const { plan, folders } = run;
    const optionsFor = shardOptions(plan.of.options, options, folders.out);
    const computer = new ShardComputer({ ...options, ...opened, optionsFor });
    this.#last = { job, run, computer };
    return this.#last;
  }

  /** Reports a failed job, and releases it if another worker may compute its shard. */
  async #failed(
    job: TakenJob,
    { index: shard, file }: JobShard,
    error: unknown,
  ): Promise<JobEnd> {
    const { counts, options, stop } = this.context;
    const { diskPause } = options;
    const { onEvent } = this.hooks;
    const text = error instanceof Error ? error.message : String(error);
    const kind = job.isLost ? "lost" : failureKind(error);
    if (kind === "final" || kind === "passing") {
      const willRetry = kind === "passing" && job.hasRetries;
      counts.shardsFailed += 1;
      onEvent?.({ event: "shard failed", shard, file, error: text, willRetry });
      const stored = failureText(error);
      return { kind: "failed", text: stored, isFinal: !willRetry };
    }
    counts.shardsReleased += 1;
    const reason = RELEASED[kind];
    onEvent?.({ event: "shard released", shard, file, reason });
    if (kind !== "lost") await job.release();
    if (kind === "full disk") {
      const message = `${text}; the worker takes no shards for ${diskPause} s`;
      onEvent?.({ event: "warning", message });
      // The queue gives this worker no other job before this function returns.
      await delay(diskPause, stop);
    }
    return { kind: "released" };
  }
}

/** Shard of a job; -1 and the id of the job until its data is parsed. */
interface JobShard {
  index: number;
  file: string;
}

/** Reasons for returning a job to the queue. */
const RELEASED = {
  lost: "its lease expired; another worker may have taken it",
  stopped: "the worker is stopping",
  "full disk": "the disk is full",
};

/** Time limit for threads to end, which they do between two chunks. */
const CLOSE_SECONDS = 10;
