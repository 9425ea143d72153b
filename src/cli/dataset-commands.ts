import type { StaleRunsOptions } from "../dataset/leftovers.js";
import type { DatasetOptions } from "../dataset/options.js";
import type {
  FinalizeOptions,
  StatusOptions,
  TaskOptions,
} from "../dataset/tasks.js";
import { EXIT } from "../errors.js";
import { arrayTask } from "./array-task.js";
import { defineCommand } from "./carry-out.js";
import type { CommandSpec } from "./command.js";
import { datasetText, staleRunsText, statusText } from "./dataset-text.js";
import { COMMON_OF_RUNS } from "./run-command.js";

/** `softjac plan` */
const PLAN = defineCommand({
  name: "plan",
  summary: "Plan a dataset for the tasks of a scheduler",
  usage:
    "Plan a dataset without computing it. Tasks then compute its shards with softjac run-shard, and softjac finalize publishes it.",
  common: COMMON_OF_RUNS,
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
  common: ["output", "shardIndex", "shardCount", "threads", "json", "quiet"],
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
  common: ["overwrite", "json", "quiet"],
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
  common: ["json"],
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
  common: ["olderThan", "dryRun", "json"],
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
