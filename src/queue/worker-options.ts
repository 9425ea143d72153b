import type { ProcessOptions } from "../dataset/options.js";
import type { Resolved } from "../options/check-options.js";
import type { QueueOptions } from "./connection.js";

/** Options of `runWorker`. Only `queue` is required. */
export interface WorkerOptions extends QueueOptions, ProcessOptions {
  /** Directories and URLs that jobs may read and write; default: the current directory. */
  allow?: readonly string[] | undefined;
  /** Seconds without renewal after which another worker may take the shard; default: 60. */
  lease?: number | undefined;
  /** Seconds after which an attempt at a shard fails; default: 3,600. */
  shardTimeout?: number | undefined;
  /** Seconds without progress after which an attempt fails; default: 600. */
  stallTimeout?: number | undefined;
  /** Whether to skip invalid inputs and compute the shards of the others; default: false. */
  keepGoing?: boolean | undefined;
  /** Seconds without new shards after the disk was full; default: 30. */
  diskPause?: number | undefined;
  /** Seconds without work after which the worker returns; default: no limit. */
  idleLimit?: number | undefined;
  /** Seconds after which the worker ends with StoppedError; default: no limit. */
  timeLimit?: number | undefined;
}

export type WorkerDefaults =
  | "keepGoing"
  | "stallTimeout"
  | "shardTimeout"
  | "lease"
  | "diskPause";
export type ResolvedWorkerOptions = Resolved<WorkerOptions, WorkerDefaults>;

/** Totals in the report of a worker. */
export class WorkerCounts {
  shardsComputed = 0;
  shardsUpToDate = 0;
  /** Number of failed attempts. */
  shardsFailed = 0;
  /** Number of shards that were returned to the queue. */
  shardsReleased = 0;
  rowsComputed = 0;
  bytesWritten = 0;
  badRows = 0;
  /** Inputs that were skipped, with the error of each. */
  skippedInputs: { name: string; error: string }[] = [];
}
