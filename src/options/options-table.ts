import { DROPPED, EMIT_NAMES, LAYOUTS } from "../results/catalogue.js";
import { REDUCTION_NAMES } from "../results/reductions.js";

/** Use of a file by a command; `state` replaces the report or the metrics of an earlier run. */
export type FileUse = "read" | "output" | "state";

/** Functions and commands with options. `run` is a run of one file and `dataset` of many; `softjac run` does both. */
export type Command =
  | ("run" | "dataset" | "plan" | "run-shard" | "finalize" | "status" | "gc")
  | ("submit" | "worker" | "wait")
  | ("show" | "verify" | "inspect" | "report" | "generate")
  | ("reduce" | "effects" | "calibrate" | "merge");

interface Row {
  /** Type of the value. `names` is a list in which `\,` is a comma of a name; `ranges` is a list written as 3,7-9. */
  kind:
    | ("path" | "paths" | "string" | "list" | "names")
    | ("integer" | "number" | "boolean" | "ranges");
  help: string;
  alias?: string;
  choices?: readonly string[];
  /** Inclusive range of a number; default for an integer: from 0. */
  range?: readonly [number, number];
  default?: string | number | boolean;
  /** Use of the file or directory that the value names. */
  file?: FileUse;
  /** Name in messages of an argument that has no flag. */
  argument?: string;
  isRequired?: boolean;
  /** Environment variables of other tools, used if no flag, SOFTJAC_* variable or config file sets the option. */
  variables?: readonly string[];
  /** Whether the option has no flag, because other users of the machine can read command lines. */
  isSecret?: boolean;
}

interface Section {
  group:
    | ("Input" | "Results" | "Values" | "Output" | "Running")
    | ("Dataset" | "S3" | "Queue" | "Reporting");
  commands: readonly Command[];
  /** Whether the value changes bytes of the output or only the process. */
  affects: "bytes" | "process";
}

/** Option of functions and commands. `name` is the property in the library; the flag is `name` in kebab-case. */
export interface OptionSpec extends Row, Section {
  name: string;
}

type Overrides = Partial<Row & Section>;

const option =
  (kind: Row["kind"], usual: Overrides = {}) =>
  (help: string, more: Overrides = {}) => ({
    ...{ kind, help },
    ...usual,
    ...more,
  });
const text = option("string");
const list = option("list");
const names = option("names");
const integer = option("integer");
const number = option("number");
const positive = option("integer", { range: [1, Number.MAX_SAFE_INTEGER] });
const seconds = option("number", { range: [0.1, 2_000_000] });
const ranges = option("ranges");
const flag = option("boolean", { default: false });
const path = option("path", { isRequired: true });
const output = (help: string, more: Overrides = {}) =>
  path(help, { file: "output", alias: "o", ...more });
const argument = (name: string, help: string, more: Overrides = {}) =>
  path(help, { argument: name, file: "read", ...more });

/** Returns the options of a section; the fields of a row override those of the section. */
function section(
  group: Section["group"],
  commands: readonly Command[],
  affects: Section["affects"],
  rows: Record<string, Row & Partial<Section>>,
): OptionSpec[] {
  const base = { group, commands, affects };
  return Object.entries(rows).map(([name, row]) => ({ name, ...base, ...row }));
}

const PLANNING: Command[] = ["dataset", "plan"];
const RUNNING: Command[] = ["run", ...PLANNING];
const SUMMING: Command[] = ["reduce", "effects", "calibrate"];
const MERGING: Command[] = [...SUMMING, "merge"];
const MODELLING: Command[] = ["reduce", "effects"];
const WITH_MODEL: Command[] = [...MODELLING, "run", "verify"];
const READING: Command[] = [
  ...[...RUNNING, "verify", "inspect", "reduce", "calibrate"],
] as Command[];
const COMPARING: Command[] = [...RUNNING, "verify", "reduce"];
const COMPUTING: Command[] = [...RUNNING, "run-shard", "worker"];
const PUBLISHING: Command[] = ["finalize", "wait"];
const QUEUEING: Command[] = ["submit", "worker", "wait"];
const PRINTING: Command[] = ["show", "inspect", "status", "gc"];
const WORKING: Command[] = [
  ...COMPUTING,
  ...PUBLISHING,
  ...(["submit", "verify", "report", "generate", ...MERGING] as const),
];

const FLOATS = ["float32", "float64"];
const LOGITS_HELP =
  "Arrow, Parquet, .npy, .npz or safetensors; - is standard input";
const OUTPUT_HELP = "Output file, or directory of a dataset";
const DATASET_HELP = "Directory or s3:// prefix of the dataset";

const ARGUMENTS = [
  ...section("Input", ["run", "inspect"], "process", {
    input: argument("input file", LOGITS_HELP),
  }),
  ...section("Input", ["dataset"], "process", {
    inputs: argument("input file", LOGITS_HELP, { kind: "paths" }),
  }),
  ...section("Input", SUMMING, "process", {
    inputs: argument("input file", LOGITS_HELP, { kind: "paths" }),
  }),
  ...section("Input", ["merge"], "process", {
    inputs: argument("file of partial sums", "Files of --partial", {
      kind: "paths",
    }),
  }),
  ...section("Input", ["plan"], "process", {
    inputs: argument("input file", "Files, directories and patterns", {
      kind: "paths",
    }),
  }),
  ...section("Input", ["show"], "process", {
    results: argument("output file or directory", OUTPUT_HELP),
  }),
  ...section("Input", ["report"], "process", {
    results: argument("output of softjac run", OUTPUT_HELP),
  }),
  ...section("Input", ["verify"], "process", {
    output: argument("output file", "Output file"),
  }),
  ...section("Output", ["generate"], "process", {
    output: argument("output file", "Output file", { file: "output" }),
  }),
  ...section("Output", [...PUBLISHING, "status", "gc"], "process", {
    output: argument("folder", DATASET_HELP, { file: "output" }),
  }),
];

const INPUT = section("Input", READING, "bytes", {
  column: text("List or struct column of logits (default: the only one)"),
  columns: text("Columns of logits, one per class, e.g. 'logit_*'"),
  classAxis: integer(
    "Axis of the classes in arrays, 0-based; -1 is the last (default: the last of two or three)",
    // NumPy has at most 64 dimensions.
    { range: [-64, 63] },
  ),
  binary: flag(
    "Read margins z (log-odds of class 1), one per row: the logits are (0, z)",
  ),
  pad: flag(
    "Mask the classes that shorter lists of logits lack; the longest list has all",
  ),
  onBadRow: text(
    "Rows with NaN, +inf or all -inf: stop, write nulls, or omit",
    {
      commands: RUNNING,
      choices: ["error", "null", "skip"],
      // A NaN usually means that an earlier step of the pipeline failed.
      default: "error",
    },
  ),
  nullLogit: text("Null logits: stop, or mask the class (-inf)", {
    choices: ["error", "mask"],
    // A null can mean "masked" or "missing"; only the producer of the file knows.
    default: "error",
  }),
  // Without the marker, a complete stream looks like a truncated one.
  allowMissingEos: flag("Accept a stream that lacks its end-of-stream marker", {
    commands: [...READING, "effects"],
  }),
});

const RESULTS = section("Results", RUNNING, "bytes", {
  emit: list("Results, e.g. softmax,entropy (default: softmax,jacobian)", {
    choices: [...EMIT_NAMES, ...DROPPED],
  }),
  layout: text("Layout of the Jacobian blocks", {
    choices: LAYOUTS,
    // SciPy and PyTorch use these blocks without a copy.
    default: "bsr",
  }),
  threshold: number(
    "For csr and coo: drop entries whose absolute value is below this, without renormalizing",
    { range: [0, Number.MAX_VALUE], default: 0 },
  ),
  topK: positive(
    "For csr and coo: keep only the n largest entries of each block (by absolute value)",
  ),
  temperature: number("T of softmax(o/T), from 1e-100 to 1e100", {
    commands: [...RUNNING, "reduce"],
    // Outside this range the exact product of a quotient and T overflows or underflows float64.
    range: [1e-100, 1e100],
    default: 1,
  }),
  temperatureFile: text(
    "JSON file of softjac calibrate, whose temperature is used",
    { commands: [...RUNNING, "reduce"], file: "read" },
  ),
  class: integer("Class index k for --emit column (0-based)", {
    commands: [...RUNNING, "reduce"],
    range: [0, 2 ** 31 - 1],
  }),
});

const AUXILIARY = section("Results", COMPARING, "bytes", {
  classColumn: text("Input column holding k for each row (for --emit column)"),
  label: text(
    "Input column of true classes for --emit cross_entropy and gradient, or an .npy file beside a file of arrays",
    { commands: [...RUNNING, "verify"] },
  ),
  classNames: names(
    "Names of the classes in the order of the logits, e.g. cat,dog; labels may be such names",
  ),
  cotangent: text("Input column of vectors for --emit vjp and log_vjp"),
  tangent: text("Input column of vectors for --emit jvp and log_jvp"),
  covariance: text(
    "Input column of covariance matrices for --emit covariance and variance: diagonal, upper triangle or full",
  ),
  forceDense: flag("Allow a dense tensor of more than 1 GiB", {
    commands: RUNNING,
    affects: "process",
  }),
});

const SUMS = [
  ...section("Results", ["reduce"], "bytes", {
    emit: list("Results, e.g. jacobian,fisher (default: softmax,jacobian)", {
      choices: REDUCTION_NAMES,
    }),
    label: text(
      "Input column of true classes for --emit accuracy, loglik, score, opg, cross_entropy and gradient, or an .npy file beside a file of arrays",
    ),
    layout: text(
      "Symmetric matrices whole (bsr) or as upper triangles (packed)",
      {
        choices: ["bsr", "packed"],
        default: "bsr",
      },
    ),
  }),
  ...section("Input", MODELLING, "bytes", {
    features: text(
      "Columns of features in the order of the coefficients, e.g. age,educ or 'x_*', or one column of lists",
      { commands: WITH_MODEL },
    ),
    intercept: flag("Put a constant 1 before the features: (intercept)", {
      commands: WITH_MODEL,
    }),
    coefficients: text(
      "Coefficients, features x classes, as an .npy file: the logits are features x coefficients",
      { commands: WITH_MODEL, file: "read" },
    ),
    base: text(
      "Reference class, which has no column in the coefficients; none: every class has one",
      // statsmodels, R and Stata omit the first class.
      { commands: WITH_MODEL, default: "0" },
    ),
    weight: text(
      "Column of frequency weights: a row of weight w counts as w rows",
      { commands: SUMMING },
    ),
    by: list("Columns whose values form groups, e.g. state,year"),
    onBadRow: text(
      "Rows with NaN or infinite values: stop, or leave them out",
      { commands: SUMMING, choices: ["error", "skip"], default: "error" },
    ),
  }),
  ...section("Input", ["calibrate"], "bytes", {
    label: text("Column of true classes", { isRequired: true }),
  }),
  ...section("Input", ["effects", "calibrate"], "bytes", {
    label: text(
      "Column of true classes: warn unless the coefficients maximise their likelihood",
      { commands: ["effects"] },
    ),
    classNames: names(
      "Names of the classes in the order of the model, for labels that are names",
    ),
  }),
  ...section("Results", ["effects"], "bytes", {
    of: list("Effects (default: dydx)", {
      choices: [
        ...["dydx", "probability", "coefficients", "eydx", "dyex", "eyex"],
      ],
    }),
    contrast: list("Discrete changes: parent (from 0 to 1), educ=12:16"),
    terms: names(
      "Features whose effects are printed, e.g. age,educ (default: all but (intercept))",
    ),
    constants: flag("Include the effects of (intercept)"),
    covariance: text(
      "Covariance of the coefficients: inverse Fisher information of these rows (default), robust (HC0), or none",
      { choices: ["fisher", "robust", "none"] },
    ),
    at: text(
      "Average the effects over rows, or evaluate them at the mean of the features",
      {
        choices: ["rows", "mean"],
        default: "rows",
      },
    ),
    covarianceFile: text("Covariance of the coefficients, class-major (.npy)", {
      commands: ["effects", "run", "verify"],
      file: "read",
    }),
    level: number("Level of the confidence intervals", {
      range: [0.5, 0.999999],
      default: 0.95,
    }),
  }),
  ...section("Output", ["reduce"], "process", {
    output: output("Arrow file to write: one row per group"),
  }),
  ...section("Output", ["calibrate"], "process", {
    output: text("JSON file to write, for --temperature-file", {
      file: "output",
      alias: "o",
    }),
  }),
  ...section("Output", ["effects", "merge"], "process", {
    output: text("Arrow file to write (default for effects: print a table)", {
      file: "output",
      alias: "o",
    }),
    partial: flag("Write the sums themselves, for softjac merge", {
      commands: [...MODELLING, "merge"],
    }),
  }),
  ...section("Running", MODELLING, "process", {
    maxSumsBytes: positive(
      "Maximum memory of the sums of all groups, in bytes",
      { default: 2 ** 30 },
    ),
  }),
];

const SHOW = section("Input", ["show"], "process", {
  row: integer("Row of the input, from 0", { isRequired: true }),
  position: ranges(
    "Position of the row, for an output with a column position, from 0; of several: 3,7",
  ),
  input: text("Input of the row, for a dataset of several inputs"),
  classes: integer(
    "Number of classes to show, by decreasing p (default: as many as fit; 100 in JSON)",
    { group: "Values", range: [1, 10_000] },
  ),
});

const VERIFY = section("Values", ["verify"], "process", {
  input: path("Input file of the run that wrote the output", {
    group: "Input",
    file: "read",
    alias: "i",
  }),
  sample: positive("Number of random rows to recompute in high precision", {
    // Errors of a kernel rarely affect only a few rows.
    default: 1000,
  }),
  all: flag("Recompute every row and compare every byte with a new run"),
  seed: integer("Seed of the sample", { default: 0 }),
});

const INSPECT = section("Values", ["inspect"], "process", {
  scan: flag("Read all logits: range, masked classes, rows without a softmax"),
});

const REPORT = section("Values", ["report"], "process", {
  label: text(
    "Copied column of true classes (0 to Q - 1, or names), for calibration and confusion",
  ),
  classNames: names(
    "Names of the classes, e.g. cat,dog, for labels that are names (default: those of the results)",
  ),
  classes: integer("Maximum number of classes in the heatmap, 2 to 100", {
    // More cells would be too small to see.
    range: [2, 100],
    default: 40,
  }),
  title: text("Title of the page (default: name of the results)", {
    group: "Output",
  }),
  output: output("HTML file to write", { group: "Output" }),
});

const GENERATE = section("Values", ["generate"], "bytes", {
  rows: integer("Number of rows", { isRequired: true }),
  classes: integer("Number of classes", {
    // A row is generated in memory, and one of 2^24 float64 values has 128 MiB.
    range: [1, 2 ** 24],
    isRequired: true,
  }),
  kind: text(
    "Distribution: randint(-10, 11)/2, N(0, scale²), or one class far above the others",
    // Logits of classifiers are closer to normal than to the notebook's multiples of 1/2.
    { choices: ["notebook", "normal", "peaked"], default: "normal" },
  ),
  scale: number("Standard deviation for --kind normal", {
    range: [0, 1e6],
    // The logits of many trained classifiers have about this spread.
    default: 3,
  }),
  seed: integer("Random seed; the same seed gives the same bytes", {
    default: 0,
  }),
  dtype: text("Type of the logits (drawn in float64, then rounded)", {
    group: "Output",
    choices: FLOATS,
    // float64 needs no rounding.
    default: "float64",
  }),
});

const OUTPUT = [
  ...section("Output", ["run", "dataset"], "process", {
    output: output("Output file or directory; - is standard output"),
  }),
  ...section("Output", RUNNING, "process", {
    output: output(DATASET_HELP, { commands: ["plan", "run-shard"] }),
    keep: names("Input columns to copy to the output, e.g. id,label", {
      affects: "bytes",
    }),
    dtype: text(
      "Type of the results (default: float32 for float16, bfloat16 and float32 logits, else float64)",
      {
        commands: [...RUNNING, "inspect"],
        choices: FLOATS,
        affects: "bytes",
      },
    ),
    compress: text("Compress the record batches (default: no compression)", {
      choices: ["lz4", "zstd"],
      affects: "bytes",
    }),
    force: flag("Overwrite the output file if it exists", {
      commands: ["run", "generate", "report", ...MERGING],
      alias: "f",
    }),
    sync: flag("Wait until the output is on disk (fsync)", {
      commands: [...COMPUTING, "generate", "report", ...MERGING],
      // Without it, a power failure can leave a complete-looking file without its data.
      default: true,
    }),
  }),
];

const EXECUTION = section("Running", COMPUTING, "process", {
  threads: integer("Worker threads, 1 to 256 (default: available cores)", {
    commands: [...COMPUTING, "verify", ...SUMMING],
    range: [1, 256],
  }),
  chunkRows: positive(
    "Rows per chunk (default: about 8 MiB of input and output); does not change the output",
    { commands: [...COMPUTING, ...SUMMING] },
  ),
});

const DATASETS = [
  ...section("Dataset", ["run-shard"], "process", {
    run: text("Fingerprint of the run, if several are planned for the output", {
      commands: ["run-shard", ...PUBLISHING, "status"],
    }),
    shardIndex: integer(
      "Index i of this task (from 0): it computes shards i, i + n, i + 2n, … (default: read from the scheduler's environment, else all shards)",
    ),
    shardCount: positive("Number of tasks n"),
    limit: positive("Maximum number of shards to compute"),
  }),
  ...section("Dataset", PLANNING, "process", {
    shardRows: positive(
      "Maximum rows per shard (default: set by --shard-bytes)",
    ),
    shardBytes: positive(
      "Approximate output bytes per shard (for csr and coo: input bytes)",
      // One or two seconds of work: the most that a crash loses.
      { default: 256 * 2 ** 20 },
    ),
    checksums: flag(
      "Record the SHA-256 of every shard in the manifest (roughly doubles the work)",
    ),
    overwrite: flag(
      "Replace an existing dataset once the new one is complete",
      { commands: [...PLANNING, ...PUBLISHING] },
    ),
    allowMissing: flag("Publish the dataset without the skipped inputs", {
      commands: ["dataset", ...PUBLISHING],
    }),
    keepGoing: flag(
      "Skip invalid inputs and compute the others (exit code 65, dataset not published)",
      { commands: [...PLANNING, "run-shard", "worker"] },
    ),
  }),
  ...section("Dataset", ["dataset", "run-shard"], "process", {
    repair: flag(
      "Recompute shards of the published dataset that are missing or damaged",
    ),
    grace: number(
      "Seconds to finish the current shard after a signal; then it is abandoned",
      // Kubernetes and Slurm kill a process 30 s after the signal.
      { range: [0, 86_400], default: 25 },
    ),
    stallTimeout: seconds(
      "Seconds without progress after which the shard is given up (exit code 75; on a queue the attempt fails)",
      {
        commands: ["dataset", "run-shard", "worker"],
        // A chunk takes milliseconds, but fsync on a busy disk may take a minute.
        default: 600,
      },
    ),
  }),
  ...section("Dataset", ["gc"], "process", {
    olderThan: number("Remove directories unchanged for this many hours", {
      range: [0, Number.MAX_VALUE],
      // Active runs write every few seconds; a run that was stopped on Friday can be resumed on Monday.
      default: 72,
    }),
    dryRun: flag("Print what would be removed without removing it"),
  }),
];

const S3 = section(
  "S3",
  [...PLANNING, "run-shard", "worker", ...PUBLISHING, "status", "gc"],
  "process",
  {
    endpoint: text(
      "URL of an S3 server other than AWS (default: AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL)",
      // The SDK reads these variables, but would not use path-style bucket addresses.
      { variables: ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"] },
    ),
    region: text(
      "Region of the buckets (default: AWS_REGION, the region of the profile, or us-east-1)",
    ),
  },
);

const REDIS = "URL of the Redis server without its password";
const QUEUE = [
  ...section("Queue", ["wait"], "process", {
    queue: text(
      `${REDIS} (default: none; lost shards are not resubmitted then)`,
    ),
    poll: number("Seconds between checks of the dataset", {
      range: [0.05, 86_400],
      default: 5,
    }),
  }),
  ...section("Queue", QUEUEING, "process", {
    queue: text(`${REDIS}: redis://host:6379/0, or rediss:// for TLS`, {
      commands: ["submit", "worker"],
      isRequired: true,
    }),
    queuePassword: text("Password of the Redis server", { isSecret: true }),
    queueName: text("Name of the queue; several queues can share a server", {
      default: "softjac",
    }),
    connectTimeout: number(
      "Seconds to wait for the first connection to the queue",
      // Redis loads its log when it restarts; a wrong address should still be reported soon.
      { range: [0.1, 86_400], default: 10 },
    ),
  }),
  ...section("Queue", ["submit", "wait"], "process", {
    attempts: integer(
      "Attempts per shard that fails for other reasons than invalid input",
      // With the backoff, this covers an outage of about a minute.
      { range: [1, 1000], default: 6 },
    ),
    backoff: number(
      "Seconds before the second attempt; doubles before each further attempt",
      { range: [0, 86_400], default: 2 },
    ),
  }),
  ...section("Queue", ["worker"], "process", {
    allow: list(
      "Directories or URLs that the worker may read and write: /data,/scratch (default: the current directory)",
    ),
    lease: number("Seconds that a worker holds a shard without renewal", {
      range: [1, 86_400],
      // Long enough for a thread that is not scheduled for a while; the shard of a dead worker waits about as long.
      default: 60,
    }),
    shardTimeout: seconds(
      "Maximum seconds per shard; then the attempt fails",
      // Shards of the default size take seconds.
      { default: 3600 },
    ),
    diskPause: number("Seconds to wait after the disk was full", {
      range: [0.1, 86_400],
      default: 30,
    }),
    idleLimit: seconds(
      "Seconds without work after which the worker exits with 0 (default: wait for more)",
    ),
  }),
];

const ALL: Command[] = [...WORKING, ...PRINTING];

/** Options of commands only: functions of the library do not have them. */
const REPORTING = section("Reporting", WORKING, "process", {
  dryRun: flag("Print the plan; write nothing", { commands: ["run"] }),
  json: flag("Print the report as JSON", { commands: ALL }),
  quiet: flag("Print errors only", { alias: "q" }),
  logFormat: text("Format of the log on standard error", {
    choices: ["human", "json"],
    default: "human",
  }),
  report: text(
    "Write the report (of success or failure) as JSON to this file",
    { file: "state" },
  ),
  metrics: text(
    "Write metrics in the Prometheus text format to this file (*.prom) every 30 s",
    { file: "state" },
  ),
  color: flag("Use colors in a terminal", {
    commands: ALL,
    default: true,
  }),
  config: text(
    "JSON file of options; SOFTJAC_* variables and the command line override it",
    { commands: ALL, file: "read" },
  ),
});

/**
 * Options of all functions and commands: the source of checks and defaults in the library, and of arguments, flags,
 * variables, config files, help and completion on the command line. Options that affect bytes are part of the fingerprint
 * of a dataset, in this order.
 */
const OPTIONS: readonly OptionSpec[] = [
  ...[
    ARGUMENTS,
    INPUT,
    RESULTS,
    AUXILIARY,
    SUMS,
    SHOW,
    VERIFY,
    INSPECT,
    REPORT,
  ],
  ...[GENERATE, OUTPUT, EXECUTION, DATASETS, S3, QUEUE, REPORTING],
].flat();

/** Returns the options of one or more commands. */
export function optionsOf(...commands: readonly Command[]): OptionSpec[] {
  return OPTIONS.filter((option) =>
    commands.some((command) => option.commands.includes(command)),
  );
}
