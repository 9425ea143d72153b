import { hostname } from "node:os";
import type { Job } from "bullmq";
import { StalledError } from "../../errors.js";
import { withTimeout } from "../../io/waiting.js";
import type { Resolved } from "../../options/options-table.js";
import type { JobEnd, TakenJob } from "../jobs.js";
import { connect, queueNameOf, reportOutages } from "./connection.js";

/** Connects to the queue and takes jobs, one at a time. `end` waits until the current job is done or released. */
export async function takeJobs(
  options: Resolved<"worker">,
  handle: (job: TakenJob) => Promise<JobEnd>,
  stop: AbortSignal,
  warn: (message: string) => void,
): Promise<{
  /** @param abort called if the job does not end in time */
  end(abort: () => void): Promise<void>;
}> {
  const { lease } = options;
  const connection = await connect(options, true, stop);
  const { bullmq, redis, shown, skipVersionCheck } = connection;
  connection.warnings.forEach(warn);
  /** Handles a job, and throws what BullMQ expects instead of an end. */
  const handleJob = async (job: Job, token = "") => {
    const held = new HeldJob(job, token, lease, stop);
    const end = await handle(held).finally(() => held.end());
    if (end.kind === "released") throw new bullmq.WaitingError();
    if (end.kind === "done") return;
    throw end.isFinal
      ? new bullmq.UnrecoverableError(end.text)
      : new Error(end.text);
  };
  const worker = new bullmq.Worker(queueNameOf(options.queueName), handleJob, {
    connection: redis,
    skipVersionCheck,
    autorun: false,
    concurrency: 1,
    name: `${hostname()}-${process.pid}`,
    lockDuration: lease * 1000,
    // HeldJob renews locks by a monotonic clock.
    skipLockRenewal: true,
    stalledInterval: lease * 500,
    // rejectUsedUp counts attempts whose worker died.
    maxStalledCount: Number.MAX_SAFE_INTEGER,
    runRetryDelay: Math.min(5000, lease * 250),
  });
  const meanwhile = "the current shard continues";
  const endReports = reportOutages(connection, meanwhile, warn);
  worker.on("error", (error: NodeJS.ErrnoException) => {
    const { code = "", message } = error;
    // reportOutages warns about the connection.
    if (redis.status !== "ready" || CONNECTION_CODE.test(code)) return;
    if (message.includes("Connection is closed")) return;
    warn(
      LOCK_LOST.test(message)
        ? `${message} (the queue gave the job to another worker or lost it; finished work is kept)`
        : `${shown}: ${message}`,
    );
  });
  worker.run().catch(() => {});
  return {
    async end(abort) {
      const closed = worker.close();
      await withTimeout(CLOSE_SECONDS, closed);
      abort();
      // Without an answer from the queue, the lease of the job expires by itself.
      await withTimeout(LEAVE_SECONDS, closed);
      endReports();
      redis.disconnect();
    },
  };
}

const CLOSE_SECONDS = 15;
const LEAVE_SECONDS = 6;

/** Errors of BullMQ when a job ends whose lock this worker has lost. */
const LOCK_LOST =
  /^(?:Missing (?:lock|key) for job|Lock mismatch|Job .* is not in the active state)/;

const CONNECTION_CODE = /^(?:ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|ENOTFOUND|EAI_)/;

/** Releases use no attempt, so their number is limited. */
const MAX_RELEASES = 100;

/** Returns the number of attempts that failed or whose worker died or lost its lease, and its maximum. */
function attemptsOf({ attemptsMade, stalledCounter, opts }: Job) {
  // BullMQ stores 0 for jobs without a number, and tries them once.
  const attempts = Math.max(1, opts.attempts ?? 1);
  return { ended: attemptsMade + stalledCounter, attempts };
}

const RELEASE_SECONDS = 5;

/**
 * A job whose lock this worker holds. A monotonic timer renews it: BullMQ renews by the time of day, and would lose the
 * lock when the system clock is set back.
 */
export class HeldJob implements TakenJob {
  isLost = false;
  readonly #abandon = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #isRenewing = false;

  readonly signal: AbortSignal = this.#abandon.signal;

  /** @param stop signal of the worker; AbortSignal.any would add memory to it with every job */
  constructor(
    private readonly job: Job,
    private readonly token: string,
    private readonly seconds: number,
    private readonly stop: AbortSignal,
  ) {
    this.#timer = setInterval(() => this.#renew(), (seconds * 1000) / 3);
    if (stop.aborted) this.abandon();
    stop.addEventListener("abort", this.abandon);
  }

  get id(): string {
    return String(this.job.id);
  }

  get data(): unknown {
    return this.job.data;
  }

  get hasRetries(): boolean {
    const { ended, attempts } = attemptsOf(this.job);
    return ended + 1 < attempts;
  }

  rejectUsedUp(): void {
    const { ended, attempts } = attemptsOf(this.job);
    if (ended >= attempts)
      throw new StalledError(
        `the worker died or lost its lease in the last of ${attempts} attempts (--attempts)`,
      );
    // attemptsStarted includes this attempt.
    if (this.job.attemptsStarted - ended > MAX_RELEASES)
      throw new StalledError(
        `workers released it ${MAX_RELEASES} times without finishing it`,
      );
  }

  readonly abandon = () => this.#abandon.abort();

  async release(): Promise<void> {
    this.end();
    // A removed job needs no release.
    await withTimeout(RELEASE_SECONDS, this.job.moveToWait(this.token));
  }

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
