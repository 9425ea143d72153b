import type { JobsOptions, Queue } from "bullmq";
import { PermissionError, ServiceUnavailableError } from "../errors.js";
import { JOB_NAME, jobId, type ShardJob } from "./jobs.js";

/** Jobs on their way at once. */
const SLICE = 500;

/**
 * Adds jobs for shards of a run. One that is there already stays the only one: of a submitter that died, the next adds the
 * rest.
 * @throws ServiceUnavailableError where the Redis takes no jobs, PermissionError
 */
export async function enqueue(
  queue: Queue,
  run: Omit<ShardJob, "index">,
  shards: readonly number[],
  submission: number,
  options: JobsOptions,
  shown: string,
): Promise<void> {
  for (let start = 0; start < shards.length; start += SLICE) {
    const jobs = shards.slice(start, start + SLICE).map((index) => {
      const data: ShardJob = { ...run, index };
      const opts = { ...options, jobId: jobId(data, submission) };
      return { name: JOB_NAME, data, opts };
    });
    try {
      await queue.addBulk(jobs);
    } catch (error) {
      throw refusedBy(shown, error as Error);
    }
  }
}

/** What a Redis says that takes nothing, as one of our errors. */
function refusedBy(shown: string, error: Error): Error {
  const { message } = error;
  const found = REFUSALS.find(([pattern]) => pattern.test(message));
  if (found)
    return new ServiceUnavailableError(
      shown,
      `expected a Redis that takes jobs, found ${found[1]} (those it has taken stay; submit again adds the rest)`,
      { cause: error },
    );
  if (/NOPERM/.test(message))
    return new PermissionError(
      shown,
      `expected to be allowed to add jobs, found ${message}`,
      { cause: error },
    );
  return new ServiceUnavailableError(
    shown,
    `expected a Redis that takes jobs, found ${message}`,
    { cause: error },
  );
}

const REFUSALS: readonly [RegExp, string][] = [
  [/READONLY/, "a replica that is read only"],
  [/\bOOM\b/, "that its memory is used up (maxmemory)"],
  [/MISCONF/, "that it cannot save to its disk (MISCONF)"],
  [/LOADING/, "that it is loading its data"],
  [/max retries|Connection is closed/, "that it went away"],
  [/MASTERDOWN/, "a replica without its primary"],
];
