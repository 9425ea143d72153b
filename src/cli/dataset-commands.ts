import {
  FINALIZE_OPTIONS,
  LEFTOVER_OPTIONS,
  STATUS_OPTIONS,
  TASK_OPTIONS,
} from "../dataset/command-options.js";
import { DATASET_OPTIONS, type DatasetOptions } from "../dataset/options.js";
import { type OptionSpec, RUN_OPTIONS } from "../options-table.js";
import { arrayTask } from "./array-task.js";
import { carryOut, refuse } from "./carry-out.js";
import type { CommandSpec } from "./command.js";
import { datasetText, leftoversText, statusText } from "./dataset-text.js";
import { EXIT, exitCodeOf } from "./exit-codes.js";
import { s3Environment } from "./s3-environment.js";
import { LOOK_SETTINGS, REPORT_SETTINGS } from "./settings.js";

const OUTPUT = {
  option: "output",
  what: "folder",
  file: "output",
  help: "The dataset: a folder that is, or is to be, or s3://bucket/prefix",
} as const;
const PATH = { shown: "--output (-o)", what: "a path" };

/** Of a plan: nothing of how parts are made, and of the end. */
export const PLAN_OPTIONS: readonly OptionSpec[] = [
  ...RUN_OPTIONS.filter(({ name }) => name !== "force"),
  ...DATASET_OPTIONS.filter(
    ({ name }) =>
      ![
        "allowMissing",
        "repair",
        "grace",
        "timeLimit",
        "stallTimeout",
      ].includes(name),
  ),
];

/** `softjac plan` */
const PLAN: CommandSpec = {
  name: "plan",
  summary: "Plans a dataset, for tasks of a scheduler to make",
  usage:
    "<inputs..> -o <output>\n\nPlans a dataset as softjac run would make it: parts for softjac run-shard, softjac finalize at the end.",
  positional: {
    option: "inputs",
    what: "input file",
    file: "read",
    help: "Files, folders and patterns",
    several: true,
  },
  options: PLAN_OPTIONS,
  required: [{ option: "output", ...PATH }],
  settings: REPORT_SETTINGS,
  examples: ["'logits/**/*.arrow' -o jacobian/ --layout packed"],
  async execute(given, settings) {
    const { planDataset } = await import("../dataset/tasks.js");
    const options = s3Environment(given) as unknown as DatasetOptions;
    return carryOut({
      command: "plan",
      settings,
      output: options.output,
      make: (hooks) => planDataset(options, hooks),
      text: datasetText,
    });
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
  settings: REPORT_SETTINGS,
  examples: ["-o jacobian/", "-o jacobian/ --shard-index 3 --shard-count 16"],
  epilogue:
    "Environments of arrays that are known: Slurm, Kubernetes Indexed Jobs, PBS and LSF (with --shard-count), AWS Batch, Cloud Run, Google Batch, Grid Engine.",
  async execute(given, settings) {
    const { runShards } = await import("../dataset/tasks.js");
    const { shardIndex, shardCount } = given as {
      shardIndex?: number;
      shardCount?: number;
    };
    try {
      const task =
        shardIndex === undefined ? arrayTask(process.env, shardCount) : null;
      const options = {
        ...s3Environment(given),
        ...(task && { shardIndex: task.index, shardCount: task.count }),
      } as unknown as Parameters<typeof runShards>[0];
      return await carryOut({
        command: "run-shard",
        settings,
        output: options.output,
        make: (hooks) => runShards(options, hooks),
        text: datasetText,
        grace: options.grace,
      });
    } catch (error) {
      return refuse(error, exitCodeOf(error, null), settings);
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
  settings: REPORT_SETTINGS,
  examples: ["jacobian/"],
  async execute(given, settings) {
    const { finalizeDataset } = await import("../dataset/tasks.js");
    const options = s3Environment(given) as unknown as Parameters<
      typeof finalizeDataset
    >[0];
    return carryOut({
      command: "finalize",
      settings,
      output: options.output,
      make: (hooks) => finalizeDataset(options, hooks),
      text: datasetText,
    });
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
  settings: LOOK_SETTINGS,
  examples: ["jacobian/", "jacobian/ --json"],
  async execute(given, settings) {
    const { datasetStatus } = await import("../dataset/tasks.js");
    const options = s3Environment(given) as unknown as Parameters<
      typeof datasetStatus
    >[0];
    return carryOut({
      command: "status",
      settings,
      output: options.output,
      make: (hooks) => datasetStatus(options, hooks),
      text: statusText,
      exitCode: ({ status, faults }) =>
        faults.length > 0 && status === "published" ? EXIT.badInput : EXIT.done,
      textIsResult: true,
    });
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
  settings: LOOK_SETTINGS,
  examples: ["jacobian/ --dry-run", "jacobian/ --older-than 24"],
  async execute(given, settings) {
    const { removeLeftovers } = await import("../dataset/leftovers.js");
    const options = s3Environment(given) as unknown as Parameters<
      typeof removeLeftovers
    >[0];
    return carryOut({
      command: "gc",
      settings,
      output: options.output,
      make: (hooks) => removeLeftovers(options, hooks),
      text: leftoversText,
      textIsResult: true,
    });
  },
};

export const DATASET_COMMANDS: readonly CommandSpec[] = [
  PLAN,
  RUN_SHARD,
  FINALIZE,
  STATUS,
  GC,
];
