import { checkHooks } from "../check-options.js";
import type { DatasetHooks } from "../dataset/events.js";
import { Stopping } from "../dataset/stopping.js";
import { AbortedError, SoftjacError, StoppedError } from "../errors.js";
import type { RunOptions } from "../options.js";
import type { S3Options } from "../store/s3-options.js";
import { checkOptions, type QueueOptions, WORKER_OPTIONS } from "./options.js";
import { pause } from "./pause.js";
import { queueAddress } from "./queue-address.js";
import type { ShardJobs } from "./shard-jobs.js";
import { startWorker } from "./start-worker.js";
import { type WorkerReport, WorkerReportBuilder } from "./worker-report.js";

/** Options of `runWorker`. Only `queue` is required. */
export interface WorkerOptions
  extends QueueOptions,
    S3Options,
    Pick<RunOptions, "threads" | "chunkRows" | "sync"> {
  /** Directories and URLs that the worker may read and write, whatever a job says; default: the current directory. */
  allow?: readonly string[] | undefined;
  /** Seconds that the worker holds a shard without renewal; default: 60. */
  lease?: number | undefined;
  /** Maximum seconds per shard; then the attempt fails. Default: 3,600. */
  shardTimeout?: number | undefined;
  /** Seconds without progress after which the attempt fails; default: 600. */
  stallTimeout?: number | undefined;
  /** Whether to skip invalid inputs and compute the shards of the others; default: false. */
  keepGoing?: boolean | undefined;
  /** Seconds to wait after the disk was full; default: 30. */
  diskPause?: number | undefined;
  /** Seconds without work after which the worker returns; default: no limit. */
  idleLimit?: number | undefined;
  /** Seconds after which the worker ends with StoppedError; default: no limit. */
  timeLimit?: number | undefined;
}

/**
 * Computes shards of datasets from a queue until it is stopped, one at a time, each on all threads. The records of a dataset,
 * not the queue, decide which of its shards are done.
 *
 * @returns the report, after `idleLimit` seconds without work
 * @throws StoppedError after a stop, with the current shard released; ServiceUnavailableError or PermissionError if Redis
 * cannot be reached or refuses the login at the start; UsageError; ConfigurationError
 */
export async function runWorker(
  options: WorkerOptions,
  hooks: DatasetHooks = {},
): Promise<WorkerReport> {
  checkHooks(hooks);
  checkOptions(options, WORKER_OPTIONS);
  const address = queueAddress(options);
  const { timeLimit, idleLimit } = options;
  const report = new WorkerReportBuilder(address.shown);
  const stopping = new Stopping({ grace: 0, timeLimit }, hooks);
  try {
    const { jobs, worker, end } = await startWorker(
      options,
      { report, stop: stopping.soon },
      hooks,
    );
    try {
      worker.run().catch(() => {});
      while (!stopping.soon.aborted && !isIdle(jobs, idleLimit))
        await pause(idleLimit ? Math.min(1, idleLimit / 4) : 60, stopping.soon);
    } finally {
      await end();
    }
    if (!stopping.soon.aborted) return report.finish("done");
    throw new AbortedError();
  } catch (error) {
    const met = error instanceof AbortedError ? stopped(report, error) : error;
    if (met instanceof SoftjacError) met.report = report.finish("failed");
    throw met;
  } finally {
    stopping.close();
  }
}

function stopped(
  { shardsComputed }: WorkerReportBuilder,
  cause: AbortedError,
): StoppedError {
  return new StoppedError(
    shardsComputed,
    shardsComputed,
    { cause },
    `stopped after ${shardsComputed} shards; other workers continue with the rest of the queue`,
  );
}

function isIdle({ idleSince }: ShardJobs, limit: number | undefined): boolean {
  return (
    limit !== undefined &&
    idleSince !== null &&
    performance.now() - idleSince >= limit * 1000
  );
}
