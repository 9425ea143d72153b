import type { Job, WaitingError } from "bullmq";
import type { DatasetHooks } from "../dataset/events.js";
import { partName } from "../dataset/names.js";
import { StalledError } from "../errors.js";
import { failureKind, failureText } from "./failure-kind.js";
import { underFirstOf } from "./first-of.js";
import { shardJob } from "./jobs.js";
import { Lease } from "./lease.js";
import type { QueuePackages } from "./packages.js";
import { pause, within } from "./pause.js";
import type { PlannedRuns } from "./planned-runs.js";
import type { ShardResult, ShardWork } from "./shard-work.js";
import type { WorkerReportBuilder } from "./worker-report.js";

interface Means extends Pick<QueuePackages, "bullmq"> {
  runs: PlannedRuns;
  work: ShardWork;
  report: WorkerReportBuilder;
  /** Seconds. */
  lease: number;
  diskPause: number;
  /** The worker is to end. */
  stop: AbortSignal;
}

/** A job in hand. */
interface InHand {
  job: Job;
  token: string;
  lease: Lease;
  shard: number;
  /** Name of the shard's file, as messages show it. */
  file: string;
}

/** The jobs of a worker, from the queue to the record of a part, and back to the queue. */
export class ShardJobs {
  /** By the clock that is never set, in milliseconds; null: there is one in hand. */
  idleSince: number | null = performance.now();

  constructor(
    private readonly means: Means,
    private readonly hooks: DatasetHooks,
  ) {}

  /**
   * Does a job.
   * @throws what BullMQ makes of it: WaitingError for one that is no longer ours, UnrecoverableError for one that nobody
   * can do, others for another try
   */
  async process(job: Job, token: string): Promise<void> {
    const { lease: seconds } = this.means;
    this.idleSince = null;
    const lease = new Lease(
      seconds,
      async () => (await job.extendLock(token, seconds * 1000)) === 1,
    );
    const hand: InHand = { job, token, lease, shard: -1, file: String(job.id) };
    try {
      await this.#make(hand);
    } catch (error) {
      throw await this.#failed(hand, error);
    } finally {
      lease.end();
      this.idleSince = performance.now();
    }
  }

  async #make(hand: InHand): Promise<void> {
    const { runs, work, report, stop } = this.means;
    const data = shardJob(hand.job.data);
    hand.shard = data.index;
    // Before anything that may end this process, too.
    refuseUsedUp(hand.job);
    const found = await runs.of(data);
    hand.file = partName(data.index, found.run.shards);
    const start = performance.now();
    const before = report.rowsComputed;
    const span = found.run.plan.of.shards[data.index];
    const rows = span ? span.rowEnd - span.rowStart : 0;
    const make = (signal: AbortSignal) =>
      work.make(found, data.index, {
        signal,
        onProgress: (done) =>
          this.hooks.onProgress?.(before + done, before + rows),
        onRetry: ({ message: error }) => {
          const { shard, file } = hand;
          this.hooks.onEvent?.({ event: "shard retried", shard, file, error });
        },
      });
    const result = await underFirstOf([stop, hand.lease.lost], make);
    const { input } = span ?? {};
    const name = found.run.plan.of.inputs[input ?? 0]?.name ?? "";
    this.#tell(hand, result, name, performance.now() - start);
  }

  #tell(
    { shard, file }: InHand,
    result: ShardResult,
    input: string,
    durationMs: number,
  ): void {
    const { report } = this.means;
    if (result.is === "up to date") report.upToDate();
    else if (result.is === "skipped") {
      const { error } = result;
      report.skippedInput(result.input, error);
      this.hooks.onEvent?.({ event: "input skipped", input, error });
    } else {
      const { rows, bytes, badRows } = result.made;
      report.made(result.made);
      const made = { shard, file, input, rows, bytes, badRows, durationMs };
      this.hooks.onEvent?.({ event: "shard completed", ...made });
    }
  }

  /** Says what has become of a job that was not done; returns what BullMQ is to be thrown. */
  async #failed(hand: InHand, error: unknown): Promise<Error> {
    const { bullmq, diskPause, stop } = this.means;
    const { job, lease } = hand;
    if (lease.lost.aborted) {
      this.#handedBack(
        hand,
        "its lease expired; another worker may have taken it",
      );
      return new bullmq.WaitingError();
    }
    const kind = failureKind(error);
    if (kind === "stopped")
      return this.#handBack(hand, "the worker is stopping");
    if (kind === "full disk") {
      const waiting = await this.#handBack(hand, "the disk is full");
      this.hooks.onEvent?.({
        event: "warning",
        message: `${(error as Error).message}; the worker takes no shards for ${diskPause} s`,
      });
      // While a job's function has not returned, BullMQ takes no other.
      await pause(diskPause, stop);
      return waiting;
    }
    const willRetry =
      kind === "passing" && attemptsOf(job) + 1 < mostAttempts(job);
    this.means.report.failed();
    const { shard, file } = hand;
    const text = error instanceof Error ? error.message : String(error);
    this.hooks.onEvent?.({
      event: "shard failed",
      shard,
      file,
      error: text,
      willRetry,
    });
    return !willRetry
      ? new bullmq.UnrecoverableError(failureText(error))
      : new Error(failureText(error));
  }

  /** For others, without an attempt used. */
  async #handBack(hand: InHand, reason: string): Promise<WaitingError> {
    hand.lease.end();
    this.#handedBack(hand, reason);
    // Where the queue does not answer, the lease ends by itself; where it has forgotten the job, there is nothing to do.
    await within(HAND_BACK_SECONDS, hand.job.moveToWait(hand.token));
    return new this.means.bullmq.WaitingError();
  }

  #handedBack({ shard, file }: InHand, reason: string): void {
    this.means.report.released();
    this.hooks.onEvent?.({ event: "shard released", shard, file, reason });
  }
}

const HAND_BACK_SECONDS = 5;

/** Handing back uses no attempt; it is bounded so that it does not go on for ever. */
const MOST_HAND_BACKS = 100;

/** Attempts that have ended: those that failed, and those whose worker died or lost its lease. */
function attemptsOf({ attemptsMade, stalledCounter }: Job): number {
  return attemptsMade + stalledCounter;
}

/** A job that does not say how often it is tried is tried once: BullMQ has 0 there. */
function mostAttempts({ opts }: Job): number {
  return Math.max(1, opts.attempts ?? 1);
}

/** @throws StalledError for a job whose attempts have all ended, the last with its worker, or that was handed back too often */
function refuseUsedUp(job: Job): void {
  const attempts = mostAttempts(job);
  const ended = attemptsOf(job);
  if (ended >= attempts)
    throw new StalledError(
      `the worker died or lost its lease in the last of ${attempts} attempts (--attempts)`,
    );
  // This start is counted too.
  if (job.attemptsStarted - ended > MOST_HAND_BACKS)
    throw new StalledError(
      `workers released it ${MOST_HAND_BACKS} times without finishing it`,
    );
}
