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

const QUEUE = {
  option: "queue",
  shown: "--queue",
  what: "an address, here or in SOFTJAC_QUEUE",
};
const SECRETS =
  "A password of the Redis stands in SOFTJAC_QUEUE_PASSWORD, or in an address in SOFTJAC_QUEUE, never on the command line.";

/** Seconds for threads to end once their worker has. */
const THREADS_SECONDS = 10;

/** `softjac submit` */
const SUBMIT: CommandSpec = {
  name: "submit",
  summary: "Plans a dataset and puts its parts into a queue, for workers",
  usage:
    "<inputs..> -o <output> --queue <address>\n\nPlans a dataset as softjac run would make it, and puts its parts into a queue on a Redis, for softjac worker on any machines.",
  positional: {
    option: "inputs",
    what: "input file",
    file: "read",
    help: "Files, folders and patterns",
    several: true,
  },
  options: [...PLAN_OPTIONS, ...QUEUE_OPTIONS, ...ATTEMPT_OPTIONS],
  required: [
    { option: "output", shown: "--output (-o)", what: "a path" },
    QUEUE,
  ],
  settings: REPORT_SETTINGS,
  examples: ["'logits/**/*.arrow' -o jacobian/ --queue redis://localhost"],
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
  summary: "Makes parts of datasets as a queue has them",
  usage:
    "--queue <address>\n\nMakes parts of datasets as a queue on a Redis has them, until it is stopped; on as many machines as see the datasets.",
  positional: null,
  options: WORKER_OPTIONS,
  required: [QUEUE],
  settings: REPORT_SETTINGS,
  examples: [
    "--queue redis://localhost --allow /data",
    "--queue redis://localhost --idle-limit 60",
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
  summary: "Waits for the workers of a queue, and publishes the dataset",
  usage:
    "<output>\n\nWaits until workers have made all parts of a dataset, and publishes it; with --queue, parts that the queue has lost are submitted again.",
  positional: {
    option: "output",
    what: "folder",
    file: "output",
    help: "The dataset: a folder that is to be",
  },
  options: WAIT_OPTIONS,
  required: [],
  settings: REPORT_SETTINGS,
  examples: ["jacobian/ --queue redis://localhost"],
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
      "--queue: expected an address without a password, which others on this machine could read here, found one (it may stand in SOFTJAC_QUEUE_PASSWORD, or the whole address in SOFTJAC_QUEUE)",
      "queue",
    ),
    EXIT.usage,
    settings,
  );
}

export const QUEUE_COMMANDS: readonly CommandSpec[] = [SUBMIT, WORKER, WAIT];
