import { DEFAULT_LIMITS, type Limits } from "./input/limits.js";
import type { RunOptions } from "./options.js";
import { DROPPED, EMIT_NAMES, LAYOUTS } from "./results/catalogue.js";

/** What a command does with a file; `state`: replaces the report, status or metrics file of an earlier run. */
export type FileUse = "read" | "output" | "state";

export interface OptionSpec<Name extends string = string> {
  /** The property of the command's options; the CLI's flag is the same in kebab-case. */
  name: Name;
  /** `ranges`: numbers, on the command line 3,7-9. */
  kind: "string" | "list" | "integer" | "number" | "boolean" | "ranges";
  alias?: string;
  choices?: readonly string[];
  /** Inclusive range of an integer or a number. */
  range?: readonly [number, number];
  default?: string | number | boolean;
  /** What stands for a value of text in the help: `file`; else `name`. */
  value?: string;
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
    | "Limits"
    | "Reporting";
  help: string;
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
    affects: "process",
    kind: "boolean",
    default: false,
    group: "Output",
    help: "Replace the output file if it exists",
  },
  {
    name: "sync",
    affects: "process",
    kind: "boolean",
    // A name that is there after a power cut, over bytes that are not, is the worst that a writer can leave.
    default: true,
    group: "Output",
    help: "Wait until the output is on the disk (--no-sync: leave it to the system, as other tools do)",
  },
] as const satisfies readonly RunOptionSpec[];

/** What a file may say of itself before it is refused. */
export const LIMIT_OPTIONS = (
  [
    [
      "maxMetadataBytes",
      "Bytes of a footer, of one message's metadata, of a header",
    ],
    ["maxColumns", "Columns, with those inside them"],
    ["maxNesting", "How deep columns may lie in columns"],
    ["maxBatchRows", "Rows of a record batch, row group or array"],
    ["maxDecodedBytes", "Bytes of all that is compressed, once decoded"],
  ] as const
).map(([name, help]) => ({
  name,
  kind: "integer" as const,
  range: [1, Number.MAX_SAFE_INTEGER] as const,
  default: DEFAULT_LIMITS[name],
  group: "Limits" as const,
  affects: "process" as const,
  help: `${help}; more is refused`,
})) satisfies readonly RunOptionSpec<keyof Limits>[];

/** One table: the library checks by it, the CLI makes its flags and help from it. */
export const RUN_OPTIONS: readonly RunOptionSpec<
  Exclude<keyof RunOptions, "input">
>[] = [
  {
    name: "column",
    affects: "bytes",
    kind: "string",
    group: "Input",
    help: "Column of lists that holds the logits (default: the only one of floats in lists)",
  },
  {
    name: "columns",
    affects: "bytes",
    kind: "string",
    value: "pattern",
    group: "Input",
    help: "Pattern of separate columns that hold the logits, one per class: 'logit_*'",
  },
  {
    name: "onBadRow",
    affects: "bytes",
    kind: "string",
    choices: ["error", "null", "skip"],
    // A NaN in a pipeline is news: stop, unless told otherwise.
    default: "error",
    group: "Input",
    help: "A row with NaN, +inf or nothing but -inf: stop, null results, or leave the row out",
  },
  {
    name: "nullLogit",
    affects: "bytes",
    kind: "string",
    choices: ["error", "mask"],
    // A class without a logit may be masked, or lost: who wrote the file knows.
    default: "error",
    group: "Input",
    help: "A null among the logits of a row: refuse it, or take it for a masked class (-inf)",
  },
  {
    name: "allowMissingEos",
    affects: "bytes",
    kind: "boolean",
    // Without the marker nobody can tell a stream from the first part of one.
    default: false,
    group: "Input",
    help: "Take a stream that ends without its end-of-stream marker for whole",
  },
  {
    name: "emit",
    affects: "bytes",
    kind: "list",
    choices: [...EMIT_NAMES, ...DROPPED],
    default: "softmax,jacobian",
    group: "Results",
    help: "Columns of results, in order; see below",
  },
  {
    name: "layout",
    affects: "bytes",
    kind: "string",
    choices: LAYOUTS,
    // Blocks as they are: what SciPy and PyTorch take without a copy.
    default: "bsr",
    group: "Results",
    help: "Blocks whole (bsr), their upper triangles, single entries (csr, coo), what blocks are made of, or the whole tensor",
  },
  {
    name: "threshold",
    affects: "bytes",
    kind: "number",
    range: [0, Number.MAX_VALUE],
    // Entries that are 0 are never kept; nothing else is left out unasked.
    default: 0,
    group: "Results",
    help: "Layouts csr and coo: leave out entries whose |value| is less; nothing is renormalised",
  },
  {
    name: "topK",
    affects: "bytes",
    kind: "integer",
    range: [1, Number.MAX_SAFE_INTEGER],
    group: "Results",
    help: "Layouts csr and coo: keep the so many largest |entries| of each block",
  },
  {
    name: "temperature",
    affects: "bytes",
    kind: "number",
    // Beyond, the exact product of a quotient and T leaves float64.
    range: [1e-100, 1e100],
    default: 1,
    group: "Results",
    help: "T of softmax(o/T)",
  },
  {
    name: "class",
    affects: "bytes",
    kind: "integer",
    range: [0, 2 ** 31 - 1],
    group: "Results",
    help: "Class of column",
  },
  {
    name: "classColumn",
    affects: "bytes",
    kind: "string",
    group: "Results",
    help: "Input column with the class of column",
  },
  {
    name: "label",
    affects: "bytes",
    kind: "string",
    group: "Results",
    help: "Input column with the class of cross_entropy and gradient",
  },
  {
    name: "cotangent",
    affects: "bytes",
    kind: "string",
    group: "Results",
    help: "Input column with the vectors of vjp and log_vjp",
  },
  {
    name: "tangent",
    affects: "bytes",
    kind: "string",
    group: "Results",
    help: "Input column with the vectors of jvp and log_jvp",
  },
  {
    name: "covariance",
    affects: "bytes",
    kind: "string",
    group: "Results",
    help: "Input column with the covariances of covariance and variance: diagonals, upper triangles or whole",
  },
  {
    name: "forceDense",
    affects: "process",
    kind: "boolean",
    default: false,
    group: "Results",
    help: "Layout dense: allow more than 1 GiB",
  },
  {
    name: "output",
    affects: "process",
    kind: "string",
    value: "file",
    file: "output",
    alias: "o",
    group: "Output",
    help: "File to make (required); - writes an Arrow stream to standard output",
  },
  {
    name: "keep",
    affects: "bytes",
    kind: "list",
    group: "Output",
    help: "Input columns to copy beside the results: id,label",
  },
  {
    name: "dtype",
    affects: "bytes",
    kind: "string",
    choices: ["float32", "float64"],
    group: "Output",
    help: "Type of the results (default: as the logits); computed in float64 either way",
  },
  {
    name: "tensorType",
    affects: "bytes",
    kind: "boolean",
    // Readers that do not know the extension see a plain list; those that do get the shape.
    default: true,
    group: "Output",
    help: "Mark jacobian as arrow.fixed_shape_tensor",
  },
  {
    name: "compress",
    affects: "bytes",
    kind: "string",
    choices: ["lz4", "zstd"],
    group: "Output",
    help: "Compress the results: less to store, much more to compute (default: not)",
  },
  ...TARGET_OPTIONS,
  {
    name: "threads",
    affects: "process",
    kind: "integer",
    range: [1, 256],
    group: "Running",
    help: "Worker threads (default: the cores this process may use; none where a run is over before they start)",
  },
  {
    name: "chunkRows",
    affects: "process",
    kind: "integer",
    range: [1, Number.MAX_SAFE_INTEGER],
    group: "Running",
    help: "Rows per task (default: about 8 MiB read and written); changes no byte",
  },
  {
    name: "kernel",
    affects: "process",
    kind: "string",
    choices: ["auto", "simd", "plain"],
    // SIMD where it can run; the plain kernel gives the same bits, slower.
    default: "auto",
    group: "Running",
    help: "Kernel: SIMD WebAssembly or plain JavaScript; same bits",
  },
  ...LIMIT_OPTIONS,
];
