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

/**
 * Returns the id of a job, `<run>-<hash of output>.<submission>-<index>`, which is the same for every submitter.
 * Submission 0 has all shards of a run; later ones have lost and failed shards.
 */
export function jobId(job: ShardJob, submission: number): string {
  return `${idPrefix(job)}.${submission}-${job.index}`;
}

/** Parses the id of a job; null if it belongs to another run. */
export function parseJobId(
  id: string,
  run: JobsRun,
): { submission: number; index: number } | null {
  const [, prefix, submission, index] =
    /^(.*)\.(\d{1,9})-(\d{1,9})$/.exec(id) ?? [];
  if (prefix !== idPrefix(run)) return null;
  return { submission: Number(submission), index: Number(index) };
}

function idPrefix({ run, output }: JobsRun): string {
  return `${run}-${fingerprintOf(output).slice(0, 8)}`;
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

/** Releases use no attempt, so their number is limited. */
const MAX_RELEASES = 100;

/** Returns the number of attempts that failed or whose worker died or lost its lease, and its maximum. */
export function attemptsOf({ attemptsMade, stalledCounter, opts }: Job) {
  // BullMQ stores 0 for jobs without a number, and tries them once.
  const attempts = Math.max(1, opts.attempts ?? 1);
  return { ended: attemptsMade + stalledCounter, attempts };
}

/** @throws StalledError if no attempts are left, or if the job was released too often */
export function rejectUsedUp(job: Job): void {
  const { ended, attempts } = attemptsOf(job);
  if (ended >= attempts)
    throw new StalledError(
      `the worker died or lost its lease in the last of ${attempts} attempts (--attempts)`,
    );
  // attemptsStarted includes this attempt.
  if (job.attemptsStarted - ended > MAX_RELEASES)
    throw new StalledError(
      `workers released it ${MAX_RELEASES} times without finishing it`,
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

/** Returns the maximum seconds that a job waits for another attempt. */
export function maxBackoff(options: AttemptOptions): number {
  const { attempts = 6, backoff = 2 } = options;
  return backoff * 2 ** Math.max(0, attempts - 2);
}

/** Jobs per request. */
const ADDED_AT_ONCE = 500;

/**
 * Adds jobs for shards of a run. BullMQ ignores existing ids, so that a second call completes an interrupted one.
 * @throws ServiceUnavailableError, PermissionError
 */
export async function enqueue(
  { ask }: OpenQueue,
  run: JobsRun,
  shards: readonly number[],
  submission: number,
  attempts: AttemptOptions,
): Promise<void> {
  const options = jobOptions(attempts);
  for (let start = 0; start < shards.length; start += ADDED_AT_ONCE) {
    const jobs = shards.slice(start, start + ADDED_AT_ONCE).map((index) => {
      const data: ShardJob = { ...run, index };
      const opts = { ...options, jobId: jobId(data, submission) };
      return { name: "shard", data, opts };
    });
    await ask(
      (queue) => queue.addBulk(jobs),
      "; submitted jobs are kept; run the same command again to submit the rest",
    );
  }
}

/** State of the jobs of one run. */
export interface QueuedShards {
  /** Shards whose job is running, waiting or delayed. */
  live: ReadonlySet<number>;
  /** Ids of the jobs that wait for another attempt. */
  delayed: readonly string[];
  /** Shards whose jobs have all failed, with the id of the last job. */
  failed: ReadonlyMap<number, string>;
  /** Number of submissions of the run, and so the number of the next one. */
  submissions: number;
}

/** Ids per request: a queue may hold millions. */
const READ_AT_ONCE = 10_000;

/** States of jobs, in the order in which jobs pass through them, so that a job that moves on during the scan is found. */
const STATES = [
  ...(["wait", "prioritized", "delayed", "active"] as const),
  ...(["failed", "completed"] as const),
];

/** Finds the jobs of a run. A job that returns to an earlier state during the scan may be missed. */
export async function queuedShards(
  { ask }: OpenQueue,
  run: JobsRun,
): Promise<QueuedShards> {
  const live = new Set<number>();
  const delayed: string[] = [];
  const failed = new Map<number, { id: string; submission: number }>();
  let submissions = 0;
  for (const state of STATES) {
    let ids: string[];
    let start = 0;
    do {
      const end = start + READ_AT_ONCE - 1;
      ids = await ask((queue) => queue.getRanges([state], start, end));
      start += READ_AT_ONCE;
      for (const id of ids) {
        const { submission = -1, index = -1 } = parseJobId(id, run) ?? {};
        if (index < 0) continue;
        submissions = Math.max(submissions, submission + 1);
        if (state === "delayed") delayed.push(id);
        if (state === "failed") {
          if (submission >= (failed.get(index)?.submission ?? 0))
            failed.set(index, { id, submission });
        } else if (state !== "completed") live.add(index);
      }
    } while (ids.length === READ_AT_ONCE);
  }
  const givenUp = [...failed].filter(([index]) => !live.has(index));
  return {
    ...{ live, delayed, submissions },
    failed: new Map(givenUp.map(([index, { id }]) => [index, id])),
  };
}
