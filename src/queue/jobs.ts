import type { JobsOptions } from "bullmq";
import { fingerprintOf } from "../dataset/fingerprint.js";
import { VERSION } from "../version.js";
import type { AttemptOptions } from "./options.js";
import { JobRefusedError } from "./refusal.js";

/** What a job says: where the plan is, and which of its shards. Nothing else counts. */
export interface ShardJob {
  /** Absolute path, or URL, of the dataset. */
  output: string;
  /** Fingerprint of the run. */
  run: string;
  /** Shard, from 0. */
  index: number;
}

/** The name of every job. */
export const JOB_NAME = "shard";

/**
 * The queue as BullMQ calls it. Every version has its own: the numbers of two versions may differ in their last digit, so
 * that none can go on with the other's runs.
 */
export function queueNameOf(name = "softjac"): string {
  return `${name}-${VERSION}`;
}

/**
 * The id of a shard's job: `<run>-<submission>-<index>`, the same from every submitter. A submission is that of one
 * output, whose jobs are not another's with the same fingerprint, and has a number: 0, then 1 for what was lost or has
 * failed, and so on.
 */
export function jobId(job: ShardJob, submission: number): string {
  return `${job.run}-${place(job)}.${submission}-${job.index}`;
}

/** What the id of a job says, where it is one of a run for an output; null: it is none. */
export function partsOfId(
  id: string,
  of: Pick<ShardJob, "output" | "run">,
): { submission: number; index: number } | null {
  const [, start, submission, index] =
    /^(.*)\.(\d{1,9})-(\d{1,9})$/.exec(id) ?? [];
  if (start !== `${of.run}-${place(of)}`) return null;
  return { submission: Number(submission), index: Number(index) };
}

function place({ output }: Pick<ShardJob, "output">): string {
  return fingerprintOf(output).slice(0, 8);
}

export function jobOptions({
  attempts = 6,
  backoff = 2,
}: AttemptOptions): JobsOptions {
  return {
    attempts,
    // Jitter: workers that met one disk's error do not come back together.
    backoff: { type: "exponential", delay: backoff * 1000, jitter: 0.5 },
    // For those who look at the queue; what is done is in the store.
    removeOnComplete: { age: 86_400, count: 1000 },
    removeOnFail: false,
  };
}

/** Seconds that a job waits for another try at most. */
export function longestBackoff({
  attempts = 6,
  backoff = 2,
}: AttemptOptions): number {
  return backoff * 2 ** Math.max(0, attempts - 2);
}

/**
 * The data of a job, which whoever reaches the Redis may have written.
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
