import type { Job, JobsOptions } from "bullmq";
import { fingerprintOf } from "../dataset/dataset-plan.js";
import { isInvalidInput } from "../dataset/run-files.js";
import {
  AbortedError,
  SoftjacError,
  StalledError,
  WorkerError,
} from "../errors.js";
import { isFullDisk } from "../io/system-error.js";
import type { OptionsOf } from "../options/options-table.js";
import type { OpenQueue } from "./connection.js";

/** Attempts at the shards of a queue. */
export type AttemptOptions = Pick<OptionsOf<"submit">, "attempts" | "backoff">;

export interface ShardJob {
  /** Absolute path, or URL, of the dataset. */
  output: string;
  /** Fingerprint of the run. */
  run: string;
  index: number;
}

export type JobsRun = Omit<ShardJob, "index">;

/** A job is invalid, from another version, or outside the allowed locations. */
export class JobRefusedError extends SoftjacError {
  readonly code = "ERR_JOB_REFUSED";
}

/** Returns the id of a job, `<run>-<hash of output>-<index>`, which is the same for every submitter. */
export function jobId({ output, run, index }: ShardJob): string {
  return `${run}-${fingerprintOf(output).slice(0, 8)}-${index}`;
}

/**
 * Parses the data of a job. It is untrusted: anybody with access to Redis can write it.
 * @throws JobRefusedError
 */
export function parseShardJob(data: unknown): ShardJob {
  const { output, run, index, ...more } = (data ?? {}) as Partial<
    Record<keyof ShardJob, unknown>
  >;
  const isValid =
    typeof output === "string" &&
    output.length > 0 &&
    output.length < 4096 &&
    !output.includes("\0") &&
    typeof run === "string" &&
    /^[0-9a-f]{16}$/.test(run) &&
    Number.isSafeInteger(index) &&
    (index as number) >= 0 &&
    Object.keys(more).length === 0;
  if (!isValid)
    throw new JobRefusedError(
      "the job has invalid data; expected the output, the run and the index of a shard",
    );
  return { output, run, index: index as number };
}

/** Returns the text of an error that is stored in the queue: `<code>: <message>`. */
export function failureText(error: unknown): string {
  const code = error instanceof SoftjacError ? error.code : "ERR_INTERNAL";
  return `${code}: ${error instanceof Error ? error.message : String(error)}`;
}

/** Returns whether invalid input caused a stored failure. */
export function isInputFailure(text: string): boolean {
  const [, code] = /^(ERR_[A-Z_]+): /.exec(text) ?? [];
  return code === "ERR_INPUT_CHANGED" || isInvalidInput({ code });
}

/** Codes of errors that every attempt would repeat. */
const FINAL = [
  "ERR_INPUT_CHANGED",
  "ERR_JOB_REFUSED",
  "ERR_USAGE",
  "ERR_OUTPUT_EXISTS",
];

/**
 * Classifies the failure of a shard. `stopped` and `full disk` release the job, `passing` retries it, and `final` does
 * not, because every attempt on any machine would fail.
 */
export function failureKind(
  error: unknown,
): "stopped" | "full disk" | "final" | "passing" {
  if (error instanceof AbortedError) return "stopped";
  if (isFullDisk(error)) return "full disk";
  const { code = "" } = (error ?? {}) as { code?: string };
  // A dead thread may have run out of memory. Other internal errors are deterministic.
  const isInternal = code === "ERR_INTERNAL" && !(error instanceof WorkerError);
  return isInvalidInput(error) || FINAL.includes(code) || isInternal
    ? "final"
    : "passing";
}

/** Returns the number of attempts that failed or whose worker died or lost its lease, and its maximum. */
export function attemptsOf({ attemptsMade, stalledCounter, opts }: Job) {
  // BullMQ stores 0 for jobs without a number, and tries them once.
  const attempts = Math.max(1, opts.attempts ?? 1);
  return { ended: attemptsMade + stalledCounter, attempts };
}

/** @throws StalledError if no attempts are left */
export function rejectUsedUp(job: Job): void {
  const { ended, attempts } = attemptsOf(job);
  if (ended >= attempts)
    throw new StalledError(
      `the worker died or lost its lease in the last of ${attempts} attempts (--attempts)`,
    );
}

function jobOptions(options: AttemptOptions): JobsOptions {
  const { attempts = 6, backoff = 2 } = options;
  return {
    attempts,
    // The jitter keeps workers that share a full or failing disk from retrying together.
    backoff: { type: "exponential", delay: backoff * 1000, jitter: 0.5 },
    // Completed jobs are only for inspection: the records of the dataset decide which shards are done.
    removeOnComplete: { age: 86_400, count: 1000 },
    removeOnFail: false,
  };
}

/** Jobs per request. */
const JOBS_AT_ONCE = 500;

/**
 * Adds jobs for shards of a run, in place of jobs that have ended. BullMQ ignores ids that exist, so that a second call
 * completes an interrupted one.
 * @throws ServiceUnavailableError, PermissionError
 */
export async function enqueue(
  { ask }: OpenQueue,
  run: JobsRun,
  shards: readonly number[],
  { ended }: Pick<JobStates, "ended">,
  attempts: AttemptOptions,
): Promise<void> {
  const options = jobOptions(attempts);
  for (const indices of batchesOf(shards)) {
    const jobs = indices.map((index) => {
      const data: ShardJob = { ...run, index };
      return { name: "shard", data, opts: { ...options, jobId: jobId(data) } };
    });
    const old = jobs.filter(({ data }) => ended.has(data.index));
    await ask(async (queue) => {
      await Promise.all(old.map(({ opts }) => queue.remove(opts.jobId)));
      await queue.addBulk(jobs);
    }, "; submitted jobs are kept; run the same command again to submit the rest");
  }
}

/** Shards of a run by the states of their jobs. */
export interface JobStates {
  /** Shards without a job. */
  lost: number[];
  /** Shards whose job has ended: its error if it failed in all attempts, or null. */
  ended: Map<number, string | null>;
  /** Number of shards whose job is running, waiting or delayed. */
  live: number;
}

/** Finds the jobs of shards of a run. */
export async function jobStates(
  open: OpenQueue,
  run: JobsRun,
  shards: readonly number[],
): Promise<JobStates> {
  const ids = await queuedIds(open);
  // Reading each job by its id takes longer, but does not miss a job that changes its state.
  const others = shards.filter((index) => !ids.has(jobId({ ...run, index })));
  const live = shards.length - others.length;
  const states: JobStates = { lost: [], ended: new Map(), live };
  for (const indices of batchesOf(others))
    await open.ask((queue) =>
      Promise.all(
        indices.map(async (index) => {
          const job = await queue.getJob(jobId({ ...run, index }));
          if (!job) states.lost.push(index);
          else if (job.finishedOn === undefined) states.live += 1;
          else {
            const error = (await job.isFailed()) ? job.failedReason : null;
            states.ended.set(index, error);
          }
        }),
      ),
    );
  return states;
}

/** Ids per request: a queue may hold millions. */
const IDS_AT_ONCE = 10_000;

/** Returns the ids of waiting, delayed and running jobs, of all runs. */
async function queuedIds({ ask }: OpenQueue): Promise<ReadonlySet<string>> {
  const all = new Set<string>();
  for (const state of ["wait", "prioritized", "delayed", "active"] as const)
    for (let start = 0; ; start += IDS_AT_ONCE) {
      const end = start + IDS_AT_ONCE - 1;
      const ids = await ask((queue) => queue.getRanges([state], start, end));
      for (const id of ids) all.add(id);
      if (ids.length < IDS_AT_ONCE) break;
    }
  return all;
}

function* batchesOf(shards: readonly number[]): Generator<readonly number[]> {
  for (let start = 0; start < shards.length; start += JOBS_AT_ONCE)
    yield shards.slice(start, start + JOBS_AT_ONCE);
}
