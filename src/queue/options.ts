import { FINALIZE_OPTIONS } from "../dataset/command-options.js";
import { PROCESS_OPTIONS } from "../dataset/options.js";
import { type OptionSpec, RUN_OPTIONS } from "../options-table.js";
import { S3_OPTIONS } from "../store/s3-options.js";

// Tables of the commands that work through a queue: the library checks by them, the CLI makes its help from them.

/** Connection to a queue on a Redis server. */
export interface QueueOptions {
  /** URL of the Redis server: `redis://host:port/db`, or `rediss://` for TLS. */
  queue: string;
  /** Password of the Redis server, if the URL has none. */
  queuePassword?: string | undefined;
  /** Name of the queue; several queues can share a server. Default: softjac. */
  queueName?: string | undefined;
  /** Seconds to wait for the first connection; default: 10. */
  connectTimeout?: number | undefined;
}

/** Retries of shards on a queue. */
export interface AttemptOptions {
  /** Attempts per shard that fails for other reasons than invalid input; default: 6. */
  attempts?: number | undefined;
  /** Seconds before the second attempt; doubles before each further one, minus a random part of up to half. Default: 2. */
  backoff?: number | undefined;
}

export const QUEUE_OPTIONS = [
  {
    name: "queue",
    isCommon: true,
    kind: "string",
    group: "Queue",
    help: "URL of the Redis server without its password: redis://host:6379/0, or rediss:// for TLS",
  },
  {
    name: "queuePassword",
    kind: "string",
    group: "Queue",
    isSecret: true,
    help: "Password of the Redis server",
  },
  {
    name: "queueName",
    kind: "string",
    default: "softjac",
    group: "Queue",
    help: "Name of the queue; several queues can share a server",
  },
  {
    name: "connectTimeout",
    kind: "number",
    range: [0.1, 86_400],
    // A Redis that starts again reads its log first; a wrong address is to be told before people turn away.
    default: 10,
    group: "Queue",
    help: "Seconds to wait for the first connection to the queue",
  },
] as const satisfies readonly OptionSpec[];

export const ATTEMPT_OPTIONS = [
  {
    name: "attempts",
    kind: "integer",
    range: [1, 1000],
    // With the backoff: about a minute of a disk or network that is out.
    default: 6,
    group: "Queue",
    help: "Attempts per shard that fails for other reasons than invalid input",
  },
  {
    name: "backoff",
    kind: "number",
    range: [0, 86_400],
    default: 2,
    group: "Queue",
    help: "Seconds before the second attempt; doubles before each further attempt",
  },
] as const satisfies readonly OptionSpec[];

export const WORKER_OPTIONS: readonly OptionSpec[] = [
  ...QUEUE_OPTIONS,
  {
    name: "allow",
    isCommon: true,
    kind: "list",
    group: "Queue",
    help: "Directories or URLs that the worker may read and write: /data,/scratch (default: the current directory)",
  },
  {
    name: "lease",
    kind: "number",
    range: [1, 86_400],
    // Long enough for a thread that the system holds up; what a dead worker's part waits for, about.
    default: 60,
    group: "Queue",
    help: "Seconds that a worker holds a shard without renewal",
  },
  {
    name: "shardTimeout",
    kind: "number",
    range: [0.1, 2_000_000],
    // Parts of the default size take seconds.
    default: 3600,
    group: "Queue",
    help: "Maximum seconds per shard; then the attempt fails",
  },
  {
    name: "stallTimeout",
    kind: "number",
    range: [0.1, 2_000_000],
    default: 600,
    group: "Queue",
    help: "Seconds without progress after which the attempt fails",
  },
  {
    name: "keepGoing",
    kind: "boolean",
    default: false,
    group: "Queue",
    help: "Skip invalid inputs and compute the shards of the others",
  },
  {
    name: "diskPause",
    kind: "number",
    range: [0.1, 86_400],
    default: 30,
    group: "Queue",
    help: "Seconds to wait after the disk was full",
  },
  {
    name: "idleLimit",
    isCommon: true,
    kind: "number",
    range: [0.1, 2_000_000],
    group: "Queue",
    help: "Seconds without work after which the worker exits with 0 (default: wait for more)",
  },
  {
    name: "timeLimit",
    kind: "number",
    range: [0.1, 2_000_000],
    group: "Queue",
    help: "Seconds after which the worker exits with 75 (default: no limit)",
  },
  ...RUN_OPTIONS.filter(({ name }) => PROCESS_OPTIONS.includes(name)),
  ...S3_OPTIONS,
];

export const WAIT_OPTIONS: readonly OptionSpec[] = [
  ...QUEUE_OPTIONS.map((spec) =>
    spec.name === "queue"
      ? {
          ...spec,
          help: `${spec.help} (default: none; lost shards are not resubmitted then)`,
        }
      : spec,
  ),
  ...ATTEMPT_OPTIONS,
  {
    name: "poll",
    kind: "number",
    range: [0.05, 86_400],
    default: 5,
    group: "Queue",
    help: "Seconds between checks of the dataset",
  },
  {
    name: "timeLimit",
    kind: "number",
    range: [0.1, 2_000_000],
    group: "Queue",
    help: "Seconds after which the command exits with 75 if shards remain (default: no limit)",
  },
  ...FINALIZE_OPTIONS,
];
