import type { ProcessOptions } from "../dataset/options.js";
import type { Resolved } from "../options/check-options.js";
import type { QueueOptions } from "./connection.js";
/** Options of `runWorker`. Only `queue` is required. */
export interface WorkerOptions extends QueueOptions, ProcessOptions {
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

export type WorkerDefaults =
  | "keepGoing"
  | "stallTimeout"
  | "shardTimeout"
  | "lease"
  | "diskPause";
export type ResolvedWorkerOptions = Resolved<WorkerOptions, WorkerDefaults>;

/** Counts in the report of a worker. */
export interface WorkerCounts {
  /** Number of shards that were computed, done before, failed (in this attempt or in all), and released to other workers. */
  shardsComputed: number;
  shardsUpToDate: number;
  shardsFailed: number;
  shardsReleased: number;
  rowsComputed: number;
  bytesWritten: number;
  badRows: number;
  /** Inputs that were skipped, with the error of each. */
  skippedInputs: { name: string; error: string }[];
}
