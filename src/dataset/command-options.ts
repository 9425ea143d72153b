import { type OptionSpec, RUN_OPTIONS } from "../options-table.js";
import { S3_OPTIONS } from "../store/s3-options.js";
import { PROCESS_OPTIONS, REPAIR_OPTION, WORK_OPTIONS } from "./options.js";

// Tables of the commands that work on a dataset in steps: the library checks by them, the CLI makes its help from them.

const RUN_OPTION: OptionSpec<"run"> = {
  name: "run",
  kind: "string",
  group: "Dataset",
  help: "Fingerprint of the run, where several are planned for the output",
};

export const TASK_OPTIONS: readonly OptionSpec[] = [
  {
    name: "output",
    kind: "string",
    file: "output",
    alias: "o",
    group: "Output",
    help: "Folder that is to be made (required)",
  },
  RUN_OPTION,
  {
    name: "shardIndex",
    kind: "integer",
    range: [0, Number.MAX_SAFE_INTEGER],
    group: "Dataset",
    help: "Task i of n makes parts i, i + n, i + 2n, … (default: as the scheduler's environment has it, else all)",
  },
  {
    name: "shardCount",
    kind: "integer",
    range: [1, Number.MAX_SAFE_INTEGER],
    group: "Dataset",
    help: "n",
  },
  {
    name: "limit",
    kind: "integer",
    range: [1, Number.MAX_SAFE_INTEGER],
    group: "Dataset",
    help: "Parts to make at most",
  },
  {
    name: "select",
    kind: "ranges",
    group: "Dataset",
    help: "Parts to make, as softjac status prints them: 3,7-9 (default: the task's, or all)",
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
    kind: "boolean",
    default: false,
    group: "Dataset",
    help: "Replace the dataset of another run",
  },
  {
    name: "allowMissing",
    kind: "boolean",
    default: false,
    group: "Dataset",
    help: "Publish it without the inputs that were left out",
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
    kind: "number",
    range: [0, Number.MAX_VALUE],
    // A run that goes on writes something every few seconds; one that was stopped may be wanted on Monday.
    default: 72,
    group: "Dataset",
    help: "Hours since anything in a folder was last changed",
  },
  {
    name: "dryRun",
    kind: "boolean",
    default: false,
    group: "Dataset",
    help: "Say what would be removed, and remove nothing",
  },
  ...S3_OPTIONS,
];
