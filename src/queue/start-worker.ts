import { hostname } from "node:os";
import type { Worker } from "bullmq";
import type { DatasetHooks } from "../dataset/events.js";
import { processOptions } from "../dataset/options.js";
import { s3OptionsOf } from "../store/s3-options.js";
import { AllowedLocations } from "./allowed-locations.js";
import { type Connection, connect } from "./connection.js";
import { queueNameOf } from "./jobs.js";
import { queuePackages } from "./packages.js";
import { within } from "./pause.js";
import { PlannedRuns } from "./planned-runs.js";
import { queueAddress } from "./queue-address.js";
import { Reachability } from "./reachability.js";
import { ShardJobs } from "./shard-jobs.js";
import { ShardWork } from "./shard-work.js";
import type { WorkerOptions } from "./worker.js";
import type { WorkerReportBuilder } from "./worker-report.js";

/** A worker that takes jobs once it runs. */
export interface StartedWorker {
  jobs: ShardJobs;
  worker: Worker;
  /** The job in hand ends, or is handed back. */
  end(): Promise<void>;
}

/**
 * Connects to the queue and gets ready.
 * @throws ServiceUnavailableError, PermissionError, UsageError, ConfigurationError
 */
export async function startWorker(
  options: WorkerOptions,
  { report, stop }: { report: WorkerReportBuilder; stop: AbortSignal },
  hooks: DatasetHooks,
): Promise<StartedWorker> {
  const { queue, queuePassword, queueName, connectTimeout, ...rest } = options;
  const { allow, lease = 60, shardTimeout = 3600, diskPause = 30 } = rest;
  const { stallTimeout = 600, keepGoing = false } = rest;
  const packages = queuePackages();
  const allowed = await AllowedLocations.of(allow ?? ["."]);
  const connection = await connect(
    packages,
    queueAddress({ queue, queuePassword }),
    { seconds: connectTimeout ?? 10, waits: true, signal: stop },
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
  /** Ends requests to S3 of a part that has not ended in time. */
  const now = new AbortController();
  const runs = new PlannedRuns(allowed, {
    ...s3OptionsOf(options),
    signal: now.signal,
  });
  const jobs = new ShardJobs(
    { ...packages, runs, work, report, lease, diskPause, stop },
    hooks,
  );
  const worker = new packages.bullmq.Worker(
    queueNameOf(queueName),
    (job, token) => jobs.process(job, token as string),
    workerSettings(connection, lease),
  );
  const goesOn = "the current shard continues";
  const reachability = new Reachability(connection, goesOn, tell);
  worker.on("error", (error) => reachability.onError(error));
  return {
    jobs,
    worker,
    async end() {
      const closed = worker.close();
      await within(CLOSE_SECONDS, closed);
      now.abort();
      // Where the queue does not answer, it is left; its leases end by themselves.
      await within(LEAVE_SECONDS, closed);
      await work.close();
      reachability.close();
      connection.close();
    },
  };
}

const CLOSE_SECONDS = 15;
const LEAVE_SECONDS = 6;

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
    // ShardJobs counts workers that died, as attempts.
    maxStalledCount: Number.MAX_SAFE_INTEGER,
    runRetryDelay: Math.min(5000, lease * 250),
  };
}
