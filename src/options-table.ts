import type { RunOptions } from "./options.js";
import { DROPPED, EMIT_NAMES, LAYOUTS } from "./results/catalogue.js";

/** Use of a file by a command; `state`: replaces the report or the metrics of an earlier run. */
export type FileUse = "read" | "output" | "state";

export interface OptionSpec<Name extends string = string> {
  /** The property of the command's options; the CLI's flag is the same in kebab-case. */
  name: Name;
  /** `ranges`: numbers, on the command line 3,7-9. */
  kind:
    | "string"
    | "list"
    | "names"
    | "integer"
    | "number"
    | "boolean"
    | "ranges";
  alias?: string;
  choices?: readonly string[];
  /** Inclusive range of an integer or a number. */
  range?: readonly [number, number];
  default?: string | number | boolean;
  /** For the path of a file or folder: what the command does with it. */
  file?: FileUse;
  group:
    | "Input"
    | "Results"
    | "Values"
    | "Output"
    | "Dataset"
    | "S3"
    | "Queue"
    | "Running"
    | "Reporting";
  help: string;
  /** Shown by `--help`; the others only by `--help --all`. */
  isCommon?: boolean;
  /** No flag: what stands on a command line, everybody on the machine can read. */
  isSecret?: boolean;
}

/** An option of a run. */
export interface RunOptionSpec<Name extends string = string>
  extends OptionSpec<Name> {
  /** Whether the value changes bytes of the output, or only how the process works. */
  affects: "bytes" | "process";
}

/** How any command puts its output in place. */
export const TARGET_OPTIONS = [
  {
    name: "force",
    alias: "f",
    isCommon: true,
    affects: "process",
    kind: "boolean",
    default: false,
    group: "Output",
    help: "Overwrite the output file if it exists",
  },
  {
    name: "sync",
    affects: "process",
    kind: "boolean",
    // A name that is there after a power cut, over bytes that are not, is the worst that a writer can leave.
    default: true,
    group: "Output",
    help: "Wait until the output is on disk (fsync)",
  },
] as const satisfies readonly RunOptionSpec[];

/** One table: the library checks by it, the CLI makes its flags and help from it. */
export const RUN_OPTIONS: readonly RunOptionSpec<
  Exclude<keyof RunOptions, "input">
>[] = [
  {
    name: "column",
    isCommon: true,
    affects: "bytes",
    kind: "string",
    group: "Input",
    help: "List or struct column of logits (default: the only one)",
  },
  {
    name: "columns",
    isCommon: true,
    affects: "bytes",
    kind: "string",
    group: "Input",
    help: "Columns of logits, one per class, e.g. 'logit_*'",
  },
  {
    name: "classAxis",
    affects: "bytes",
    kind: "integer",
    // NumPy has at most 64 dimensions.
    range: [-64, 63],
    group: "Input",
    help: "Axis of the classes in arrays, 0-based; -1 is the last (default: the last of two or three)",
  },
  {
    name: "binary",
    affects: "bytes",
    kind: "boolean",
    default: false,
    group: "Input",
    help: "Read margins z (log-odds of class 1), one per row: the logits are (0, z)",
  },
  {
    name: "pad",
    affects: "bytes",
    kind: "boolean",
    default: false,
    group: "Input",
    help: "Mask the classes that shorter lists of logits lack; the longest list has all",
  },
  {
    name: "onBadRow",
    isCommon: true,
    affects: "bytes",
    kind: "string",
    choices: ["error", "null", "skip"],
    // A NaN in a pipeline is news: stop, unless told otherwise.
    default: "error",
    group: "Input",
    help: "Rows with NaN, +inf or all -inf: stop, write nulls, or omit",
  },
  {
    name: "nullLogit",
    affects: "bytes",
    kind: "string",
    choices: ["error", "mask"],
    // A class without a logit may be masked, or lost: who wrote the file knows.
    default: "error",
    group: "Input",
    help: "Null logits: stop, or mask the class (-inf)",
  },
  {
    name: "allowMissingEos",
    affects: "bytes",
    kind: "boolean",
    // Without the marker nobody can tell a stream from the first part of one.
    default: false,
    group: "Input",
    help: "Accept a stream that lacks its end-of-stream marker",
  },
  {
    name: "emit",
    isCommon: true,
    affects: "bytes",
    kind: "list",
    choices: [...EMIT_NAMES, ...DROPPED],
    default: "softmax,jacobian",
    group: "Results",
    help: "Results, e.g. softmax,entropy",
  },
  {
    name: "layout",
    isCommon: true,
    affects: "bytes",
    kind: "string",
    choices: LAYOUTS,
    // Blocks as they are: what SciPy and PyTorch take without a copy.
    default: "bsr",
    group: "Results",
    help: "Layout of the Jacobian blocks",
  },
  {
    name: "threshold",
    affects: "bytes",
    kind: "number",
    range: [0, Number.MAX_VALUE],
    // Entries that are 0 are never kept; nothing else is left out unasked.
    default: 0,
    group: "Results",
    help: "For csr and coo: drop entries whose absolute value is below this, without renormalizing",
  },
  {
    name: "topK",
    affects: "bytes",
    kind: "integer",
    range: [1, Number.MAX_SAFE_INTEGER],
    group: "Results",
    help: "For csr and coo: keep only the n largest entries of each block (by absolute value)",
  },
  {
    name: "temperature",
    isCommon: true,
    affects: "bytes",
    kind: "number",
    // Beyond, the exact product of a quotient and T leaves float64.
    range: [1e-100, 1e100],
    default: 1,
    group: "Results",
    help: "T of softmax(o/T), from 1e-100 to 1e100",
  },
  {
    name: "class",
    affects: "bytes",
    kind: "integer",
    range: [0, 2 ** 31 - 1],
    group: "Results",
    help: "Class index k for --emit column (0-based)",
  },
  {
    name: "classColumn",
    affects: "bytes",
    kind: "string",
    group: "Results",
    help: "Input column holding k for each row (for --emit column)",
  },
  {
    name: "label",
    isCommon: true,
    affects: "bytes",
    kind: "string",
    group: "Results",
    help: "Input column of true classes for --emit cross_entropy and gradient, or an .npy file beside a file of arrays",
  },
  {
    name: "classNames",
    affects: "bytes",
    kind: "names",
    group: "Results",
    help: "Names of the classes in the order of the logits, e.g. cat,dog; labels may be such names",
  },
  {
    name: "cotangent",
    affects: "bytes",
    kind: "string",
    group: "Results",
    help: "Input column of vectors for --emit vjp and log_vjp",
  },
  {
    name: "tangent",
    affects: "bytes",
    kind: "string",
    group: "Results",
    help: "Input column of vectors for --emit jvp and log_jvp",
  },
  {
    name: "covariance",
    affects: "bytes",
    kind: "string",
    group: "Results",
    help: "Input column of covariance matrices for --emit covariance and variance: diagonal, upper triangle or full",
  },
  {
    name: "forceDense",
    affects: "process",
    kind: "boolean",
    default: false,
    group: "Results",
    help: "Allow a dense tensor of more than 1 GiB",
  },
  {
    name: "output",
    isCommon: true,
    affects: "process",
    kind: "string",
    file: "output",
    alias: "o",
    group: "Output",
    help: "Output file or directory; - is standard output",
  },
  {
    name: "keep",
    isCommon: true,
    affects: "bytes",
    kind: "names",
    group: "Output",
    help: "Input columns to copy to the output, e.g. id,label",
  },
  {
    name: "dtype",
    isCommon: true,
    affects: "bytes",
    kind: "string",
    choices: ["float32", "float64"],
    group: "Output",
    help: "Type of the results (default: float32 for float16, bfloat16 and float32 logits, else float64)",
  },
  {
    name: "compress",
    affects: "bytes",
    kind: "string",
    choices: ["lz4", "zstd"],
    group: "Output",
    help: "Compress the record batches (default: no compression)",
  },
  ...TARGET_OPTIONS,
  {
    name: "threads",
    isCommon: true,
    affects: "process",
    kind: "integer",
    range: [1, 256],
    group: "Running",
    help: "Worker threads, 1 to 256 (default: available cores)",
  },
  {
    name: "chunkRows",
    affects: "process",
    kind: "integer",
    range: [1, Number.MAX_SAFE_INTEGER],
    group: "Running",
    help: "Rows per chunk (default: about 8 MiB of input and output); does not change the output",
  },
];
