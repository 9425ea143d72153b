import {
  FINALIZE_OPTIONS,
  LEFTOVER_OPTIONS,
  STATUS_OPTIONS,
  TASK_OPTIONS,
} from "../dataset/command-options.js";
import { DATASET_OPTIONS, type DatasetOptions } from "../dataset/options.js";
import { RUN_OPTIONS } from "../options-table.js";
import { arrayTask } from "./array-task.js";
import { carryOut, failed } from "./carry-out.js";
import { type CommandSpec, REPORT_FLAGS } from "./command.js";
import { datasetText, leftoversText, statusText } from "./dataset-text.js";
import { EXIT, exitCodeOf } from "./exit-codes.js";

const OUTPUT = {
  option: "output",
  what: "folder",
  help: "The dataset: a folder that is, or is to be",
};
const PATH = { shown: "--output (-o)", what: "a path" };

/** `softjac plan` */
const PLAN: CommandSpec = {
  name: "plan",
  summary: "Plans a dataset, for tasks of a scheduler to make",
  usage:
    "<inputs..> -o <output>\n\nPlans a dataset as softjac run would make it: parts for softjac run-shard, softjac finalize at the end.",
  positional: {
    option: "inputs",
    what: "input file",
    help: "Files, folders and patterns",
    several: true,
  },
  options: [
    ...RUN_OPTIONS.filter(({ name }) => name !== "force"),
    ...DATASET_OPTIONS,
  ],
  required: [{ option: "output", ...PATH }],
  flags: REPORT_FLAGS,
  examples: ["'logits/**/*.arrow' -o jacobian/ --layout packed"],
  async execute(given, flags) {
    const { planDataset } = await import("../dataset/tasks.js");
    const options = given as unknown as DatasetOptions;
    return carryOut(flags, (hooks) => planDataset(options, hooks), datasetText);
  },
};

/** `softjac run-shard` */
const RUN_SHARD: CommandSpec = {
  name: "run-shard",
  summary: "Makes a task's parts of a planned dataset",
  usage:
    "-o <output>\n\nMakes parts of a planned dataset: those of a scheduler's task, as its environment has it, or all.",
  positional: null,
  options: TASK_OPTIONS,
  required: [{ option: "output", ...PATH }],
  flags: REPORT_FLAGS,
  examples: ["-o jacobian/", "-o jacobian/ --shard-index 3 --shard-count 16"],
  epilogue:
    "Environments of arrays that are known: Slurm, Kubernetes Indexed Jobs, PBS and LSF (with --shard-count), AWS Batch, Cloud Run, Google Batch, Grid Engine.",
  async execute(given, flags) {
    const { runShards } = await import("../dataset/tasks.js");
    const { shardIndex, shardCount } = given as {
      shardIndex?: number;
      shardCount?: number;
    };
    try {
      const task =
        shardIndex === undefined ? arrayTask(process.env, shardCount) : null;
      const options = {
        ...given,
        ...(task && { shardIndex: task.index, shardCount: task.count }),
      } as unknown as Parameters<typeof runShards>[0];
      return await carryOut(
        flags,
        (hooks) => runShards(options, hooks),
        datasetText,
      );
    } catch (error) {
      return failed(error, exitCodeOf(error, null), flags);
    }
  },
};

/** `softjac finalize` */
const FINALIZE: CommandSpec = {
  name: "finalize",
  summary: "Publishes a dataset whose parts are all made",
  usage: "<output>\n\nPublishes a planned dataset whose parts are all made.",
  positional: OUTPUT,
  options: FINALIZE_OPTIONS,
  required: [],
  flags: REPORT_FLAGS,
  examples: ["jacobian/"],
  async execute(given, flags) {
    const { finalizeDataset } = await import("../dataset/tasks.js");
    const options = given as unknown as Parameters<typeof finalizeDataset>[0];
    return carryOut(flags, () => finalizeDataset(options), datasetText);
  },
};

/** `softjac status` */
const STATUS: CommandSpec = {
  name: "status",
  summary: "How far a dataset is: parts done, missing, damaged",
  usage:
    "<output>\n\nSays which parts of a planned or published dataset are done.",
  positional: OUTPUT,
  options: STATUS_OPTIONS,
  required: [],
  flags: { json: "Print it as JSON" },
  examples: ["jacobian/", "jacobian/ --json"],
  async execute(given, flags) {
    const { datasetStatus } = await import("../dataset/tasks.js");
    const options = given as unknown as Parameters<typeof datasetStatus>[0];
    return carryOut(
      flags,
      () => datasetStatus(options),
      statusText,
      ({ status, damaged }) =>
        damaged.length > 0 && status === "published"
          ? EXIT.badInput
          : EXIT.done,
      process.stdout,
    );
  },
};

/** `softjac gc` */
const GC: CommandSpec = {
  name: "gc",
  summary: "Clears away what dead runs have left beside a dataset",
  usage:
    "<output>\n\nRemoves unfinished folders beside a dataset in which nothing has changed for a while.",
  positional: OUTPUT,
  options: LEFTOVER_OPTIONS,
  required: [],
  flags: { json: "Print what was removed as JSON" },
  examples: ["jacobian/ --dry-run", "jacobian/ --older-than 24"],
  async execute(given, flags) {
    const { removeLeftovers } = await import("../dataset/leftovers.js");
    const options = given as unknown as Parameters<typeof removeLeftovers>[0];
    return carryOut(
      flags,
      () => removeLeftovers(options),
      leftoversText,
      () => EXIT.done,
      process.stdout,
    );
  },
};

export const DATASET_COMMANDS: readonly CommandSpec[] = [
  PLAN,
  RUN_SHARD,
  FINALIZE,
  STATUS,
  GC,
];
