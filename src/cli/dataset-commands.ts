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
import { datasetText, staleRunsText, statusText } from "./dataset-text.js";
import { EXIT, exitCodeOf } from "./exit-codes.js";
import { s3Environment } from "./s3-environment.js";
import { LOOK_SETTINGS, REPORT_SETTINGS } from "./settings.js";

const OUTPUT = {
  option: "output",
  what: "folder",
  file: "output",
  help: "Directory or s3:// prefix of the dataset",
} as const;
const PATH = { shown: "-o/--output" };

/** Options of a plan: none that concern computing shards or publication. */
export const PLAN_OPTIONS: readonly OptionSpec[] = [
  ...RUN_OPTIONS.filter(({ name }) => name !== "force").map((spec) =>
    spec.name === "output" ? { ...spec, help: OUTPUT.help } : spec,
  ),
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
  summary: "Plan a dataset for the tasks of a scheduler",
  usage:
    "Plan a dataset without computing it. Tasks then compute its shards with softjac run-shard, and softjac finalize publishes it.",
  positional: {
    option: "inputs",
    what: "input file",
    file: "read",
    help: "Files, directories and patterns",
    several: true,
  },
  options: PLAN_OPTIONS,
  required: [{ option: "output", ...PATH }],
  settings: REPORT_SETTINGS,
  examples: [["'logits/**/*.arrow' -o jacobian/ --layout packed", ""]],
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
  summary: "Compute one array task's share of a planned dataset",
  usage:
    "Compute shards of a planned dataset: those of the current array task of a scheduler, or all of them.",
  positional: null,
  options: TASK_OPTIONS,
  required: [{ option: "output", ...PATH }],
  settings: REPORT_SETTINGS,
  examples: [
    ["-o jacobian/", "Task from the scheduler"],
    ["-o jacobian/ --shard-index 3 --shard-count 16", ""],
  ],
  epilogue:
    "Supported schedulers: Slurm, Kubernetes Indexed Jobs, PBS and LSF (with --shard-count), AWS Batch, Cloud Run, Google Batch, Grid Engine.",
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
  summary: "Publish a dataset once all its shards are computed",
  usage: "Publish a planned dataset once all its shards are computed.",
  positional: OUTPUT,
  options: FINALIZE_OPTIONS,
  required: [],
  settings: REPORT_SETTINGS,
  examples: [["jacobian/", ""]],
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
  summary: "Show which shards of a dataset are done, missing or damaged",
  usage:
    "Show which shards of a planned or published dataset are done, missing or damaged.",
  positional: OUTPUT,
  options: STATUS_OPTIONS,
  required: [],
  settings: LOOK_SETTINGS,
  examples: [["jacobian/", ""]],
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
      exitCode: ({ status, problems }) =>
        problems.length > 0 && status === "published"
          ? EXIT.badInput
          : EXIT.done,
      textIsResult: true,
    });
  },
};

/** `softjac gc` */
const GC: CommandSpec = {
  name: "gc",
  summary: "Remove stale, unfinished runs of a dataset",
  usage:
    "Remove the directories of unfinished runs beside a dataset that have not changed for a while.",
  positional: OUTPUT,
  options: LEFTOVER_OPTIONS,
  required: [],
  settings: LOOK_SETTINGS,
  examples: [
    ["jacobian/ --dry-run", ""],
    ["jacobian/ --older-than 24", ""],
  ],
  async execute(given, settings) {
    const { removeStaleRuns } = await import("../dataset/leftovers.js");
    const options = s3Environment(given) as unknown as Parameters<
      typeof removeStaleRuns
    >[0];
    return carryOut({
      command: "gc",
      settings,
      output: options.output,
      make: (hooks) => removeStaleRuns(options, hooks),
      text: staleRunsText,
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
