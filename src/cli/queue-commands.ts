import { UsageError } from "../errors.js";
import type { SubmitOptions } from "../queue/submit.js";
import type { WaitOptions } from "../queue/wait.js";
import type { WorkerOptions } from "../queue/worker.js";
import { defineCommand, endSoon } from "./carry-out.js";
import type { CommandSpec, LineOptions } from "./command.js";
import { submittedText, waitedText, workerText } from "./dataset-text.js";
import { COMMON_OF_RUNS } from "./run-command.js";

const SECRETS =
  "Set the password of the Redis server in SOFTJAC_QUEUE_PASSWORD, or in the URL in SOFTJAC_QUEUE. The command line takes no password, because other users of the machine can read it.";

/** Seconds for threads to end once their worker has. */
const THREADS_SECONDS = 10;

/** `softjac submit` */
const SUBMIT = defineCommand({
  name: "submit",
  summary: "Plan a dataset and submit its shards to a queue",
  usage:
    "Plan a dataset and submit its shards to a queue on a Redis server. Workers on any machine compute them, and softjac wait publishes the dataset.",
  common: [...COMMON_OF_RUNS, "queue"],
  examples: [
    ["'logits/**/*.arrow' -o jacobian/ --queue redis://localhost", ""],
  ],
  epilogue: SECRETS,
  async make(options: SubmitOptions, hooks, { line }) {
    rejectPassword(options.queue, line);
    const { submitDataset } = await import("../queue/submit.js");
    return submitDataset(options, hooks);
  },
  text: submittedText,
});

/** `softjac worker` */
const WORKER = defineCommand({
  name: "worker",
  summary: "Run a worker that takes shards from a queue",
  usage:
    "Compute shards of datasets from a queue on a Redis server until stopped. Any number of machines that can reach the datasets can run workers.",
  common: ["queue", "allow", "idleLimit", "threads", "json", "quiet"],
  examples: [
    ["--queue redis://localhost --allow /data", ""],
    ["--queue redis://localhost --idle-limit 60", ""],
  ],
  epilogue: SECRETS,
  async make(options: WorkerOptions, hooks, { line }) {
    rejectPassword(options.queue, line);
    const { runWorker } = await import("../queue/worker.js");
    return runWorker(options, hooks);
  },
  text: workerText,
});

/** `softjac wait` */
const WAIT = defineCommand({
  name: "wait",
  summary: "Wait for the workers of a queue, then publish the dataset",
  usage:
    "Wait until workers have computed all shards of a dataset, then publish it. With --queue, shards that the queue lost are submitted again.",
  common: ["queue", "overwrite", "json", "quiet"],
  examples: [["jacobian/ --queue redis://localhost", ""]],
  epilogue: SECRETS,
  async make(options: WaitOptions, hooks, { line }) {
    rejectPassword(options.queue, line);
    const { waitForDataset } = await import("../queue/wait.js");
    return waitForDataset(options, hooks);
  },
  text: waitedText,
});

/** Rejects a password on the command line, which everybody on the machine can read. */
function rejectPassword(queue: string | undefined, line: LineOptions): void {
  const url = String(queue);
  if (line.has("queue") && URL.canParse(url) && new URL(url).password !== "")
    throw new UsageError(
      "--queue contains a password, which other users of this machine can read; set SOFTJAC_QUEUE_PASSWORD, or the whole URL in SOFTJAC_QUEUE, instead",
      "queue",
    );
}

export const QUEUE_COMMANDS: readonly CommandSpec[] = [
  SUBMIT,
  {
    ...WORKER,
    async execute(...given) {
      const code = await WORKER.execute(...given);
      // A thread whose shard never returns would keep the process.
      void endSoon(code, THREADS_SECONDS);
      return code;
    },
  },
  WAIT,
];
