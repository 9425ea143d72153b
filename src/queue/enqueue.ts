import type { JobsOptions } from "bullmq";
import { JOB_NAME, jobId, type ShardJob } from "./jobs.js";
import type { OpenQueue } from "./open-queue.js";

/** Jobs on their way at once. */
const SLICE = 500;

/**
 * Adds jobs for shards of a run. One that is there already stays the only one: of a submitter that died, the next adds the
 * rest.
 * @throws ServiceUnavailableError where the Redis takes no jobs, PermissionError
 */
export async function enqueue(
  { ask }: OpenQueue,
  run: Omit<ShardJob, "index">,
  shards: readonly number[],
  submission: number,
  options: JobsOptions,
): Promise<void> {
  for (let start = 0; start < shards.length; start += SLICE) {
    const jobs = shards.slice(start, start + SLICE).map((index) => {
      const data: ShardJob = { ...run, index };
      const opts = { ...options, jobId: jobId(data, submission) };
      return { name: JOB_NAME, data, opts };
    });
    await ask(
      (queue) => queue.addBulk(jobs),
      "; submitted jobs are kept; run the same command again to submit the rest",
    );
  }
}
