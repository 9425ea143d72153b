import {
  FINALIZE_OPTIONS,
  LEFTOVER_OPTIONS,
  STATUS_OPTIONS,
  TASK_OPTIONS,
} from "../dataset/command-options.js";
import type { StaleRunsOptions } from "../dataset/leftovers.js";
import { DATASET_OPTIONS, type DatasetOptions } from "../dataset/options.js";
import type {
  FinalizeOptions,
  StatusOptions,
  TaskOptions,
} from "../dataset/tasks.js";
import { type OptionSpec, RUN_OPTIONS } from "../options-table.js";
import { arrayTask } from "./array-task.js";
import { defineCommand } from "./carry-out.js";
import type { CommandSpec } from "./command.js";
import { datasetText, staleRunsText, statusText } from "./dataset-text.js";
import { EXIT } from "./exit-codes.js";
import { LOOK_SETTINGS, REPORT_SETTINGS } from "./settings.js";

/** Arguments of the commands on datasets. */
export const INPUTS = {
  option: "inputs",
  what: "input file",
  file: "read",
  help: "Files, directories and patterns",
  several: true,
} as const;
export const DATASET = {
  option: "output",
  what: "folder",
  file: "output",
  help: "Directory or s3:// prefix of the dataset",
} as const;
export const OUTPUT_FLAG = { option: "output", shown: "-o/--output" };

/** Options of a plan that do not concern it: they are for computing shards or for publication. */
const NOT_OF_PLANS = [
  "allowMissing",
  "repair",
  "grace",
  "timeLimit",
  "stallTimeout",
];

export const PLAN_OPTIONS: readonly OptionSpec[] = [
  ...RUN_OPTIONS.filter(({ name }) => name !== "force").map((spec) =>
    spec.name === "output" ? { ...spec, help: DATASET.help } : spec,
  ),
  ...DATASET_OPTIONS.filter(({ name }) => !NOT_OF_PLANS.includes(name)),
];

/** `softjac plan` */
const PLAN = defineCommand({
  name: "plan",
  summary: "Plan a dataset for the tasks of a scheduler",
  usage:
    "Plan a dataset without computing it. Tasks then compute its shards with softjac run-shard, and softjac finalize publishes it.",
  positional: INPUTS,
  options: PLAN_OPTIONS,
  required: [OUTPUT_FLAG],
  settings: REPORT_SETTINGS,
  examples: [["'logits/**/*.arrow' -o jacobian/ --layout packed", ""]],
  async make(options: DatasetOptions, hooks) {
    const { planDataset } = await import("../dataset/run-dataset.js");
    return planDataset(options, hooks);
  },
  text: datasetText,
});

/** `softjac run-shard` */
const RUN_SHARD = defineCommand({
  name: "run-shard",
  summary: "Compute one array task's share of a planned dataset",
  usage:
    "Compute shards of a planned dataset: those of the current array task of a scheduler, or all of them.",
  positional: null,
  options: TASK_OPTIONS,
  required: [OUTPUT_FLAG],
  settings: REPORT_SETTINGS,
  examples: [
    ["-o jacobian/", "Task from the scheduler"],
    ["-o jacobian/ --shard-index 3 --shard-count 16", ""],
  ],
  epilogue:
    "Supported schedulers: Slurm, Kubernetes Indexed Jobs, PBS and LSF (with --shard-count), AWS Batch, Cloud Run, Google Batch, Grid Engine.",
  async make(options: TaskOptions, hooks) {
    const { runShards } = await import("../dataset/tasks.js");
    const { shardIndex, shardCount } = options;
    const task =
      shardIndex === undefined ? arrayTask(process.env, shardCount) : null;
    const share = task && { shardIndex: task.index, shardCount: task.count };
    return runShards({ ...options, ...share }, hooks);
  },
  text: datasetText,
});

/** `softjac finalize` */
const FINALIZE = defineCommand({
  name: "finalize",
  summary: "Publish a dataset once all its shards are computed",
  usage: "Publish a planned dataset once all its shards are computed.",
  positional: DATASET,
  options: FINALIZE_OPTIONS,
  required: [],
  settings: REPORT_SETTINGS,
  examples: [["jacobian/", ""]],
  async make(options: FinalizeOptions, hooks) {
    const { finalizeDataset } = await import("../dataset/tasks.js");
    return finalizeDataset(options, hooks);
  },
  text: datasetText,
});

/** `softjac status` */
const STATUS = defineCommand({
  name: "status",
  summary: "Show which shards of a dataset are done, missing or damaged",
  usage:
    "Show which shards of a planned or published dataset are done, missing or damaged.",
  positional: DATASET,
  options: STATUS_OPTIONS,
  required: [],
  settings: LOOK_SETTINGS,
  examples: [["jacobian/", ""]],
  async make(options: StatusOptions, hooks) {
    const { datasetStatus } = await import("../dataset/tasks.js");
    return datasetStatus(options, hooks);
  },
  text: statusText,
  exitCode: ({ status, problems }) =>
    problems.length > 0 && status === "published" ? EXIT.badInput : EXIT.done,
  textIsResult: true,
});

/** `softjac gc` */
const GC = defineCommand({
  name: "gc",
  summary: "Remove stale, unfinished runs of a dataset",
  usage:
    "Remove the directories of unfinished runs beside a dataset that have not changed for a while.",
  positional: DATASET,
  options: LEFTOVER_OPTIONS,
  required: [],
  settings: LOOK_SETTINGS,
  examples: [
    ["jacobian/ --dry-run", ""],
    ["jacobian/ --older-than 24", ""],
  ],
  async make(options: StaleRunsOptions, hooks) {
    const { removeStaleRuns } = await import("../dataset/leftovers.js");
    return removeStaleRuns(options, hooks);
  },
  text: staleRunsText,
  textIsResult: true,
});

export const DATASET_COMMANDS: readonly CommandSpec[] = [
  PLAN,
  RUN_SHARD,
  FINALIZE,
  STATUS,
  GC,
];
