import { DATASET_HELP, PLANNING } from "./run-table.js";
import {
  argument,
  flag,
  integer,
  list,
  listOfArguments,
  number,
  positive,
  seconds,
  section,
  text,
} from "./table-row.js";

// Rows of datasets and queues, with the comments that users of the library see at each option.

export const PUBLISHING = ["finalize", "wait"] as const;

const REDIS = "URL of the Redis server without its password";

export const DATASET_SECTIONS = [
  section("Input", ["plan"], "process", {
    /** Files, directories, patterns or objects on S3, as for a run. */
    inputs: listOfArguments("input file", "Files, directories and patterns"),
  }),
  section("Output", [...PUBLISHING, "status", "gc"], "process", {
    /** Path or s3:// prefix of the dataset. */
    output: argument("folder", DATASET_HELP, { file: "output" }),
  }),
  section("Dataset", ["run-shard"], "process", {
    /** Fingerprint of the run; required if several are planned for the output. */
    run: text("Fingerprint of the run, if several are planned for the output", {
      commands: ["run-shard", ...PUBLISHING, "status"],
    }),
    /** Index i of the task, 0-based: it computes shards i, i + n, i + 2n, …; default: all shards. */
    shardIndex: integer(
      "Index i of this task (from 0): it computes shards i, i + n, i + 2n, … (default: read from the scheduler's environment, else all shards)",
    ),
    /** Number of tasks n. */
    shardCount: positive("Number of tasks n"),
    /** Maximum number of shards to compute. */
    limit: positive("Maximum number of shards to compute"),
  }),
  section("Dataset", PLANNING, "process", {
    /** Maximum rows per shard; default: as many as `shardBytes` gives. */
    shardRows: positive(
      "Maximum rows per shard (default: set by --shard-bytes)",
    ),
    /** Approximate output bytes per shard (csr and coo: input bytes); default: 268,435,456. */
    shardBytes: positive(
      "Approximate output bytes per shard (for csr and coo: input bytes)",
      // One or two seconds of work: the most that a crash loses.
      { default: 256 * 2 ** 20 },
    ),
    /** Whether to record the SHA-256 of every shard in the manifest; default: false. */
    checksums: flag(
      "Record the SHA-256 of every shard in the manifest (roughly doubles the work)",
    ),
    /** Whether to replace an existing dataset once the new one is complete; default: false. */
    overwrite: flag(
      "Replace an existing dataset once the new one is complete",
      { commands: [...PLANNING, ...PUBLISHING] },
    ),
    /** Whether to publish the dataset without skipped inputs; default: false. */
    allowMissing: flag("Publish the dataset without the skipped inputs", {
      commands: ["dataset", ...PUBLISHING],
    }),
    /** Whether to skip invalid inputs and compute the others; the dataset is then not published. Default: false. */
    keepGoing: flag(
      "Skip invalid inputs and compute the others (exit code 65, dataset not published)",
      { commands: [...PLANNING, "run-shard", "worker"] },
    ),
  }),
  section("Dataset", ["dataset", "run-shard"], "process", {
    /** Whether to recompute shards of the published dataset that are missing or damaged; default: false. */
    repair: flag(
      "Recompute shards of the published dataset that are missing or damaged",
    ),
    /** Seconds to finish or abandon the current shard after a stop; default: 25. */
    grace: number(
      "Seconds to finish the current shard after a signal; then it is abandoned",
      // Kubernetes and Slurm kill a process 30 s after the signal.
      { range: [0, 86_400], default: 25 },
    ),
    /** Seconds without progress after which the shard fails with StalledError; default: 600. */
    stallTimeout: seconds(
      "Seconds without progress after which the shard is given up (exit code 75; on a queue the attempt fails)",
      {
        commands: ["dataset", "run-shard", "worker"],
        // A chunk takes milliseconds, but fsync on a busy disk may take a minute.
        default: 600,
      },
    ),
  }),
  section("Dataset", ["gc"], "process", {
    /** Minimum hours since the last change in a directory; default: 72. */
    olderThan: number("Remove directories unchanged for this many hours", {
      range: [0, Number.MAX_VALUE],
      // Active runs write every few seconds; a run that was stopped on Friday can be resumed on Monday.
      default: 72,
    }),
    /** Whether to report what would be removed without removing it; default: false. */
    dryRun: flag("Print what would be removed without removing it"),
  }),
  section(
    "S3",
    [...PLANNING, "run-shard", "worker", ...PUBLISHING, "status", "gc"],
    "process",
    {
      /** URL of an S3 server other than AWS, which is addressed with path-style URLs; default: AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL. */
      endpoint: text(
        "URL of an S3 server other than AWS (default: AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL)",
        // The SDK reads these variables, but would not use path-style bucket addresses.
        { variables: ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"] },
      ),
      /** Region of the buckets; default: AWS_REGION, the region of the profile, or us-east-1. */
      region: text(
        "Region of the buckets (default: AWS_REGION, the region of the profile, or us-east-1)",
      ),
    },
  ),
  section("Queue", ["wait"], "process", {
    /** URL of the Redis server, as for `submitDataset`; default: none, so that lost shards are not submitted again. */
    queue: text(
      `${REDIS} (default: none; lost shards are not resubmitted then)`,
    ),
    /** Seconds between checks of the dataset; default: 5. */
    poll: number("Seconds between checks of the dataset", {
      range: [0.05, 86_400],
      default: 5,
    }),
  }),
  section("Queue", ["submit", "worker", "wait"], "process", {
    /** URL of the Redis server: `redis://host:port/db`, or `rediss://` for TLS. */
    queue: text(`${REDIS}: redis://host:6379/0, or rediss:// for TLS`, {
      commands: ["submit", "worker"],
      isRequired: true,
    }),
    /** Password of the Redis server, if the URL has none. */
    queuePassword: text("Password of the Redis server", { isSecret: true }),
    /** Name of the queue; several queues can share a server. Default: softjac. */
    queueName: text("Name of the queue; several queues can share a server", {
      default: "softjac",
    }),
    /** Seconds to wait for the first connection; default: 10. */
    connectTimeout: number(
      "Seconds to wait for the first connection to the queue",
      // Redis loads its log when it restarts; a wrong address should still be reported soon.
      { range: [0.1, 86_400], default: 10 },
    ),
  }),
  section("Queue", ["submit", "wait"], "process", {
    /** Maximum attempts per shard; invalid input is not retried. Default: 6. */
    attempts: integer(
      "Attempts per shard that fails for other reasons than invalid input",
      // With the backoff, this covers an outage of about a minute.
      { range: [1, 1000], default: 6 },
    ),
    /** Seconds before the second attempt, doubled before each further one; up to half is randomly subtracted. Default: 2. */
    backoff: number(
      "Seconds before the second attempt; doubles before each further attempt",
      { range: [0, 86_400], default: 2 },
    ),
  }),
  section("Queue", ["worker"], "process", {
    /** Directories and URLs that jobs may read and write; default: the current directory. */
    allow: list(
      "Directories or URLs that the worker may read and write: /data,/scratch (default: the current directory)",
    ),
    /** Seconds without renewal after which another worker may take the shard; default: 60. */
    lease: number("Seconds that a worker holds a shard without renewal", {
      range: [1, 86_400],
      // Long enough for a thread that is not scheduled for a while; the shard of a dead worker waits about as long.
      default: 60,
    }),
    /** Seconds after which an attempt at a shard fails; default: 3,600. */
    shardTimeout: seconds(
      "Maximum seconds per shard; then the attempt fails",
      // Shards of the default size take seconds.
      { default: 3600 },
    ),
    /** Seconds without new shards after the disk was full; default: 30. */
    diskPause: number("Seconds to wait after the disk was full", {
      range: [0.1, 86_400],
      default: 30,
    }),
    /** Seconds without work after which the worker returns; default: no limit. */
    idleLimit: seconds(
      "Seconds without work after which the worker exits with 0 (default: wait for more)",
    ),
  }),
] as const;
