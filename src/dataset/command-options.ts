import { type OptionSpec, RUN_OPTIONS } from "../options-table.js";
import { S3_OPTIONS } from "../store/s3-options.js";
import { PROCESS_OPTIONS, REPAIR_OPTION, WORK_OPTIONS } from "./options.js";

// Tables of the commands that work on a dataset in steps: the library checks by them, the CLI makes its help from them.

const RUN_OPTION: OptionSpec<"run"> = {
  name: "run",
  kind: "string",
  group: "Dataset",
  help: "Fingerprint of the run, if several are planned for the output",
};

export const TASK_OPTIONS: readonly OptionSpec[] = [
  {
    name: "output",
    isCommon: true,
    kind: "string",
    file: "output",
    alias: "o",
    group: "Output",
    help: "Directory or s3:// prefix of the dataset",
  },
  RUN_OPTION,
  {
    name: "shardIndex",
    isCommon: true,
    kind: "integer",
    range: [0, Number.MAX_SAFE_INTEGER],
    group: "Dataset",
    help: "Index i of this task (from 0): it computes shards i, i + n, i + 2n, … (default: read from the scheduler's environment, else all shards)",
  },
  {
    name: "shardCount",
    isCommon: true,
    kind: "integer",
    range: [1, Number.MAX_SAFE_INTEGER],
    group: "Dataset",
    help: "Number of tasks n",
  },
  {
    name: "limit",
    kind: "integer",
    range: [1, Number.MAX_SAFE_INTEGER],
    group: "Dataset",
    help: "Maximum number of shards to compute",
  },
  {
    name: "select",
    kind: "ranges",
    group: "Dataset",
    help: "Shards to compute, as printed by softjac status: 3,7-9 (default: the shards of the task, or all)",
  },
  REPAIR_OPTION,
  ...WORK_OPTIONS,
  ...RUN_OPTIONS.filter(({ name }) => PROCESS_OPTIONS.includes(name)),
  ...S3_OPTIONS,
];

export const FINALIZE_OPTIONS: readonly OptionSpec[] = [
  RUN_OPTION,
  {
    name: "overwrite",
    isCommon: true,
    kind: "boolean",
    default: false,
    group: "Dataset",
    help: "Replace an existing dataset",
  },
  {
    name: "allowMissing",
    kind: "boolean",
    default: false,
    group: "Dataset",
    help: "Publish the dataset without the skipped inputs",
  },
  ...S3_OPTIONS,
];

export const STATUS_OPTIONS: readonly OptionSpec[] = [
  RUN_OPTION,
  ...S3_OPTIONS,
];

export const LEFTOVER_OPTIONS: readonly OptionSpec[] = [
  {
    name: "olderThan",
    isCommon: true,
    kind: "number",
    range: [0, Number.MAX_VALUE],
    // A run that goes on writes something every few seconds; one that was stopped may be wanted on Monday.
    default: 72,
    group: "Dataset",
    help: "Remove directories unchanged for this many hours",
  },
  {
    name: "dryRun",
    isCommon: true,
    kind: "boolean",
    default: false,
    group: "Dataset",
    help: "Print what would be removed without removing it",
  },
  ...S3_OPTIONS,
];
