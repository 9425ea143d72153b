import { UsageError } from "../errors.js";
import {
  ATTEMPT_OPTIONS,
  QUEUE_OPTIONS,
  WAIT_OPTIONS,
  WORKER_OPTIONS,
} from "../queue/options.js";
import { hasPassword } from "../queue/queue-address.js";
import type { SubmitOptions } from "../queue/submit.js";
import type { WaitOptions } from "../queue/wait.js";
import type { WorkerOptions } from "../queue/worker.js";
import { carryOut, endSoon, refuse } from "./carry-out.js";
import type { CommandSpec, LineOptions, Settings } from "./command.js";
import { PLAN_OPTIONS } from "./dataset-commands.js";
import { EXIT } from "./exit-codes.js";
import { submittedText, waitedText, workerText } from "./queue-text.js";
import { REPORT_SETTINGS } from "./settings.js";

const QUEUE = { option: "queue", shown: "--queue (or SOFTJAC_QUEUE)" };
const SECRETS =
  "Set the password of the Redis server in SOFTJAC_QUEUE_PASSWORD, or in the URL in SOFTJAC_QUEUE. The command line takes no password, because other users of the machine can read it.";

/** Seconds for threads to end once their worker has. */
const THREADS_SECONDS = 10;

/** `softjac submit` */
const SUBMIT: CommandSpec = {
  name: "submit",
  summary: "Plan a dataset and submit its shards to a queue",
  usage:
    "Plan a dataset and submit its shards to a queue on a Redis server. Workers on any machine compute them, and softjac wait publishes the dataset.",
  positional: {
    option: "inputs",
    what: "input file",
    file: "read",
    help: "Files, directories and patterns",
    several: true,
  },
  options: [...PLAN_OPTIONS, ...QUEUE_OPTIONS, ...ATTEMPT_OPTIONS],
  required: [{ option: "output", shown: "-o/--output" }, QUEUE],
  settings: REPORT_SETTINGS,
  examples: [
    ["'logits/**/*.arrow' -o jacobian/ --queue redis://localhost", ""],
  ],
  epilogue: SECRETS,
  async execute(given, settings, line) {
    const refused = await refusePassword(given, settings, line);
    if (refused !== null) return refused;
    const { submitDataset } = await import("../queue/submit.js");
    const options = given as unknown as SubmitOptions;
    return carryOut({
      command: "submit",
      settings,
      output: options.output,
      make: (hooks) => submitDataset(options, hooks),
      text: submittedText,
    });
  },
};

/** `softjac worker` */
const WORKER: CommandSpec = {
  name: "worker",
  summary: "Run a worker that takes shards from a queue",
  usage:
    "Compute shards of datasets from a queue on a Redis server until stopped. Any number of machines that can reach the datasets can run workers.",
  positional: null,
  options: WORKER_OPTIONS,
  required: [QUEUE],
  settings: REPORT_SETTINGS,
  examples: [
    ["--queue redis://localhost --allow /data", ""],
    ["--queue redis://localhost --idle-limit 60", ""],
  ],
  epilogue: SECRETS,
  async execute(given, settings, line) {
    const refused = await refusePassword(given, settings, line);
    if (refused !== null) return refused;
    const { runWorker } = await import("../queue/worker.js");
    const code = await carryOut({
      command: "worker",
      settings,
      output: "",
      make: (hooks) => runWorker(given as unknown as WorkerOptions, hooks),
      text: workerText,
    });
    // A thread of a part that never returned would keep the process.
    void endSoon(code, THREADS_SECONDS);
    return code;
  },
};

/** `softjac wait` */
const WAIT: CommandSpec = {
  name: "wait",
  summary: "Wait for the workers of a queue, then publish the dataset",
  usage:
    "Wait until workers have computed all shards of a dataset, then publish it. With --queue, shards that the queue lost are submitted again.",
  positional: {
    option: "output",
    what: "folder",
    file: "output",
    help: "Directory or s3:// prefix of the dataset",
  },
  options: WAIT_OPTIONS,
  required: [],
  settings: REPORT_SETTINGS,
  examples: [["jacobian/ --queue redis://localhost", ""]],
  epilogue: SECRETS,
  async execute(given, settings, line) {
    const refused = await refusePassword(given, settings, line);
    if (refused !== null) return refused;
    const { waitForDataset } = await import("../queue/wait.js");
    const options = given as unknown as WaitOptions;
    return carryOut({
      command: "wait",
      settings,
      output: options.output,
      make: (hooks) => waitForDataset(options, hooks),
      text: waitedText,
    });
  },
};

/** What stands on a command line, everybody on the machine can read. */
async function refusePassword(
  { queue }: Record<string, unknown>,
  settings: Settings,
  line: LineOptions,
): Promise<number | null> {
  if (!line.has("queue") || !hasPassword(String(queue))) return null;
  return refuse(
    new UsageError(
      "--queue contains a password, which other users of this machine can read; set SOFTJAC_QUEUE_PASSWORD, or the whole URL in SOFTJAC_QUEUE, instead",
      "queue",
    ),
    EXIT.usage,
    settings,
  );
}

export const QUEUE_COMMANDS: readonly CommandSpec[] = [SUBMIT, WORKER, WAIT];
