import { hostname } from "node:os";
import type { Worker } from "bullmq";
import type { DatasetHooks } from "../dataset/events.js";
import { Stopping } from "../dataset/stopping.js";
import { SoftjacError, StoppedError } from "../errors.js";
import type { RunOptions } from "../options.js";
import { AllowedLocations } from "./allowed-locations.js";
import { type Connection, connect } from "./connection.js";
import { queueNameOf } from "./jobs.js";
import { checkOptions, type QueueOptions, WORKER_OPTIONS } from "./options.js";
import { queuePackages } from "./packages.js";
import { pause, within } from "./pause.js";
import { PlannedRuns } from "./planned-runs.js";
import { queueAddress } from "./queue-address.js";
import { Reachability } from "./reachability.js";
import { ShardJobs } from "./shard-jobs.js";
import { ShardWork } from "./shard-work.js";
import { type WorkerReport, WorkerReportBuilder } from "./worker-report.js";

export interface WorkerOptions
  extends QueueOptions,
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
    throw new StoppedError(
      report.shardsMade,
      report.shardsMade,
      {},
      `stopped after ${report.shardsMade} parts, which are kept: others take what is left of the queue`,
    );
  } catch (error) {
    if (error instanceof SoftjacError) error.report = report.finish("failed");
    throw error;
  } finally {
    stopping.close();
  }
}

function isIdle({ idleSince }: ShardJobs, limit: number | undefined): boolean {
  return (
    limit !== undefined &&
    idleSince !== null &&
    performance.now() - idleSince >= limit * 1000
  );
}

interface Started {
  jobs: ShardJobs;
  worker: Worker;
  /** The job in hand ends, or is handed back. */
  end(): Promise<void>;
}

async function startWorker(
  options: WorkerOptions,
  { report, stop }: { report: WorkerReportBuilder; stop: AbortSignal },
  hooks: DatasetHooks,
): Promise<Started> {
  const { queue, queuePassword, queueName, connectTimeout, ...rest } = options;
  const { allow, lease = 60, shardTimeout = 3600, diskPause = 30 } = rest;
  const { stallTimeout = 600, keepGoing = false } = rest;
  const packages = await queuePackages();
  const allowed = await AllowedLocations.of(allow ?? ["."]);
  const connection = await connect(
    packages,
    queueAddress({ queue, queuePassword }),
    { seconds: connectTimeout ?? 10, waits: true },
  );
  const tell = (message: string) =>
    hooks.onEvent?.({ event: "warning", message });
  connection.warnings.forEach(tell);
  const work = new ShardWork({
    own: processOptions(options),
    stallTimeout,
    shardTimeout,
    keepGoing,
  });
  const runs = new PlannedRuns(allowed);
  const jobs = new ShardJobs(
    { ...packages, runs, work, report, lease, diskPause, stop },
    hooks,
  );
  const worker = new packages.bullmq.Worker(
    queueNameOf(queueName),
    (job, token) => jobs.process(job, token as string),
    workerSettings(connection, lease),
  );
  const reachability = new Reachability(connection, tell);
  worker.on("error", (error) => reachability.onError(error));
  return {
    jobs,
    worker,
    async end() {
      // Where the queue does not answer, it is left; its leases end by themselves.
      await within(CLOSE_SECONDS, worker.close());
      await work.close();
      reachability.close();
      connection.close();
    },
  };
}

const CLOSE_SECONDS = 15;

/** How BullMQ's worker goes about it. Leases are renewed by ours, by a clock that is never set. */
function workerSettings(
  { redis, skipVersionCheck }: Connection,
  lease: number,
) {
  return {
    connection: redis,
    skipVersionCheck,
    autorun: false,
    concurrency: 1,
    name: `${hostname()}-${process.pid}`,
    lockDuration: lease * 1000,
    skipLockRenewal: true,
    stalledInterval: lease * 500,
    // A part that ends its process is not to end every worker.
    maxStalledCount: 2,
    // Handing back uses no attempt; that it does not go on for ever is this.
    maxStartedAttempts: 100,
    runRetryDelay: Math.min(5000, lease * 250),
  };
}

function processOptions({
  threads,
  chunkRows,
  kernel,
  sync,
  maxMetadataBytes,
  maxColumns,
  maxNesting,
  maxBatchRows,
  maxDecodedBytes,
}: WorkerOptions): Partial<RunOptions> {
  return {
    threads,
    chunkRows,
    kernel,
    sync,
    maxMetadataBytes,
    maxColumns,
    maxNesting,
    maxBatchRows,
    maxDecodedBytes,
  };
}
