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

export interface WorkerOptions
  extends QueueOptions,
    S3Options,
    Pick<
      RunOptions,
      | "threads"
      | "chunkRows"
      | "kernel"
      | "sync"
      | "maxMetadataBytes"
      | "maxColumns"
      | "maxNesting"
      | "maxBatchRows"
      | "maxDecodedBytes"
    > {
  /** Folders and URLs below which it may touch things, whatever a job says; default: the folder it is started in. */
  allow?: readonly string[] | undefined;
  /** Seconds for which a part is this worker's, renewed while it is alive. */
  lease?: number | undefined;
  /** Seconds for one part. */
  shardTimeout?: number | undefined;
  /** Seconds without a finished chunk after which a part has failed. */
  stallTimeout?: number | undefined;
  /** Leave out inputs that are bad, and make the others' parts. */
  keepGoing?: boolean | undefined;
  /** Seconds without work after the disk was found full. */
  diskPause?: number | undefined;
  /** Seconds without work after which it ends. */
  idleLimit?: number | undefined;
  /** Seconds after which it ends, by StoppedError. */
  timeLimit?: number | undefined;
}

/**
 * Makes parts of datasets as a queue has them, until it is stopped; one at a time, each on all threads. The queue only says
 * who might make what: what is done is what the dataset has a record of.
 *
 * @returns after `idleLimit` without work
 * @throws StoppedError where it was stopped: the part under way is handed back; ServiceUnavailableError,
 * PermissionError where the queue's Redis is not there at the start; UsageError, ConfigurationError
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
    `stopped after ${shardsComputed} parts, which are kept: others take what is left of the queue`,
  );
}

function isIdle({ idleSince }: ShardJobs, limit: number | undefined): boolean {
  return (
    limit !== undefined &&
    idleSince !== null &&
    performance.now() - idleSince >= limit * 1000
  );
}
