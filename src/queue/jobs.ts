import type { JobsOptions } from "bullmq";
import { fingerprintOf } from "../dataset/dataset-plan.js";
import { isBadInput } from "../dataset/run-files.js";
import { SoftjacError } from "../errors.js";
import type { OpenQueue } from "./open-queue.js";

/** Retries of shards on a queue. */
export interface AttemptOptions {
  /** Attempts per shard that fails for other reasons than invalid input; default: 6. */
  attempts?: number | undefined;
  /** Seconds before the second attempt; doubles before each further one, minus a random part of up to half. Default: 2. */
  backoff?: number | undefined;
}

/** Content of a job: where the plan is, and which of its shards. Nothing else counts. */
export interface ShardJob {
  /** Absolute path, or URL, of the dataset. */
  output: string;
  /** Fingerprint of the run. */
  run: string;
  /** Shard, from 0. */
  index: number;
}

/** A run, as its jobs name it. */
export type JobsRun = Omit<ShardJob, "index">;

/** Error of a job that this worker does not accept: of another version, outside its locations, or invalid. */
export class JobRefusedError extends SoftjacError {
  readonly code = "ERR_JOB_REFUSED";
}

/**
 * Returns the id of a shard's job: `<run>-<output>.<submission>-<index>`, the same from every submitter. Submissions of a
 * run count from 0; the next ones are for shards that were lost or have failed.
 */
export function jobId(job: ShardJob, submission: number): string {
  return `${startOfIds(job)}.${submission}-${job.index}`;
}

/** Parses the id of a job; null if it is not one of the run. */
export function partsOfId(
  id: string,
  run: JobsRun,
): { submission: number; index: number } | null {
  const [, start, submission, index] =
    /^(.*)\.(\d{1,9})-(\d{1,9})$/.exec(id) ?? [];
  if (start !== startOfIds(run)) return null;
  return { submission: Number(submission), index: Number(index) };
}

function startOfIds({ run, output }: JobsRun): string {
  return `${run}-${fingerprintOf(output).slice(0, 8)}`;
}

/**
 * Parses the data of a job, which anybody with access to the Redis may have written.
 * @throws JobRefusedError
 */
export function shardJob(data: unknown): ShardJob {
  const { output, run, index, ...more } = (data ?? {}) as Partial<
    Record<keyof ShardJob, unknown>
  >;
  const isRight =
    typeof output === "string" &&
    output.length > 0 &&
    output.length < 4096 &&
    !output.includes("\0") &&
    typeof run === "string" &&
    /^[0-9a-f]{16}$/.test(run) &&
    Number.isSafeInteger(index) &&
    (index as number) >= 0 &&
    Object.keys(more).length === 0;
  if (!isRight)
    throw new JobRefusedError(
      "the job has invalid data; expected the output, the run and the index of a shard",
    );
  return { output, run, index: index as number };
}

/** Returns a failure as the queue keeps it. */
export function failureText(error: unknown): string {
  const code = error instanceof SoftjacError ? error.code : "ERR_INTERNAL";
  return `${code}: ${error instanceof Error ? error.message : String(error)}`;
}

/** Whether the input caused a failure that the queue has kept. */
export function isInputsFault(text: string): boolean {
  const [, code] = /^(ERR_[A-Z_]+): /.exec(text) ?? [];
  return code === "ERR_INPUT_CHANGED" || isBadInput({ code });
}

function jobOptions({
  attempts = 6,
  backoff = 2,
}: AttemptOptions): JobsOptions {
  return {
    attempts,
    // Jitter: workers that met the error of one disk do not all retry at once.
    backoff: { type: "exponential", delay: backoff * 1000, jitter: 0.5 },
    // For people who look at the queue; the records of the dataset say what is done.
    removeOnComplete: { age: 86_400, count: 1000 },
    removeOnFail: false,
  };
}

/** Returns the maximum seconds that a job waits for another attempt. */
export function longestBackoff({
  attempts = 6,
  backoff = 2,
}: AttemptOptions): number {
  return backoff * 2 ** Math.max(0, attempts - 2);
}

/** Jobs sent to Redis at once. */
const ADDED_AT_ONCE = 500;

/**
 * Adds jobs for shards of a run. BullMQ ignores jobs whose id exists, so that after a submitter died the next adds the rest.
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
  /** Shards with a job that a worker computes or will compute. */
  live: ReadonlySet<number>;
  /** Ids of jobs among them that wait for another attempt. */
  delayed: readonly string[];
  /** Ids of the last job of shards whose jobs have all failed. */
  failed: ReadonlyMap<number, string>;
  /** Number of submissions of the run: the number of the next one. */
  submissions: number;
}

/** Ids read at once: a queue may hold millions. */
const READ_AT_ONCE = 10_000;

/** States of jobs, in the order in which jobs move. */
const STATES = [
  ...(["wait", "prioritized", "delayed", "active"] as const),
  ...(["failed", "completed"] as const),
];

/**
 * Finds the jobs of a run. Jobs move meanwhile: one that moves back may be missed, and two jobs for one shard do no harm.
 */
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
        const { submission = -1, index = -1 } = partsOfId(id, run) ?? {};
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
  const given = [...failed].filter(([index]) => !live.has(index));
  return {
    ...{ live, delayed, submissions },
    failed: new Map(given.map(([index, { id }]) => [index, id])),
  };
}
