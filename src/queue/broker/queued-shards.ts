import type { JobsOptions } from "bullmq";
import { fingerprintOf } from "../../dataset/dataset-plan.js";
import type { AttemptOptions, JobsRun, ShardJob } from "../jobs.js";
import type { OpenQueue } from "./connection.js";

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

/** Adds jobs for shards of a run. BullMQ ignores existing ids, so that a second call completes an interrupted one. */
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

/** Returns the error text of a failed job; undefined for a job that is gone. */
export async function failureOf(
  { ask }: OpenQueue,
  id: string,
): Promise<string | undefined> {
  return (await ask((queue) => queue.getJob(id)))?.failedReason;
}

/** Ends the wait of a delayed job. */
export async function retryNow({ ask }: OpenQueue, id: string): Promise<void> {
  await ask(async (queue) => (await queue.getJob(id))?.promote());
}

/** Returns the number of connected workers of this version. */
export function countWorkers({ ask }: OpenQueue): Promise<number> {
  return ask((queue) => queue.getWorkersCount());
}
