import {
  CODEC_NAMES,
  DROPPED,
  EMIT_NAMES,
  LAYOUTS,
} from "../results/catalogue.js";
import {
  argument,
  flag,
  integer,
  list,
  listOfArguments,
  names,
  number,
  outputPath,
  positive,
  section,
  text,
} from "./table-row.js";

// Rows of runs of one file or many, with the comments that users of the library see at each option.

export const PLANNING = ["dataset", "plan"] as const;
export const RUNNING = ["run", ...PLANNING] as const;
export const COMPUTING = [...RUNNING, "run-shard", "worker"] as const;
export const SUMMING = ["reduce", "effects", "calibrate"] as const;
export const MERGING = [...SUMMING, "merge"] as const;
const READING = [
  ...([...RUNNING, "verify", "inspect", "reduce", "calibrate"] as const),
] as const;
const COMPARING = [...RUNNING, "verify", "reduce"] as const;

const FLOATS = ["float32", "float64"] as const;
const LOGITS_HELP =
  "Arrow, Parquet, .npy, .npz or safetensors; - is standard input";
export const DATASET_HELP = "Directory or s3:// prefix of the dataset";

export const INPUT_SECTIONS = [
  section("Input", ["run", "inspect"], "process", {
    /** Path of an Arrow IPC file or stream, or of a Parquet, .npy, .npz or safetensors file; `-` is standard input. */
    input: argument("input file", LOGITS_HELP),
  }),
  section("Input", ["dataset"], "process", {
    /**
     * Files, directories, and patterns (`*` matches within a name, `**` any directories), or objects on S3 in the same way
     * (`s3://bucket/key`).
     */
    inputs: listOfArguments("input file", LOGITS_HELP),
  }),
  section("Input", SUMMING, "process", {
    /** Files, directories and patterns, whose rows are summed together. `-` is standard input. */
    inputs: listOfArguments(
      "input file",
      "Files, directories and patterns; - is standard input",
    ),
  }),
  section("Input", READING, "bytes", {
    /** Name of the list or struct column of logits; default: the only one. */
    column: text("List or struct column of logits (default: the only one)"),
    /**
     * Names or patterns (`*`, `?`) of separate columns of logits, one per class, separated by commas. The classes are in this
     * order; columns of a pattern whose names end in numbers are ordered by number, others as in the file.
     */
    columns: text("Columns of logits, one per class, e.g. 'logit_*'"),
    /**
     * Axis of the classes in arrays of two or more dimensions, 0-based, negative from the end; all other axes are rows, in
     * their order. Default: the last axis of two or three; arrays of more dimensions need it.
     */
    classAxis: integer(
      "Axis of the classes in arrays, 0-based; -1 is the last (default: the last of two or three)",
      // NumPy has at most 64 dimensions.
      { range: [-64, 63] },
    ),
    /**
     * Whether the input has margins z (log-odds of class 1), one number per row: the logits are then (0, z). Default: false.
     */
    binary: flag(
      "Read margins z (log-odds of class 1), one per row: the logits are (0, z)",
    ),
    /**
     * Whether lists of logits may have different lengths: the longest has all classes, and the classes that a row lacks are
     * masked, as -inf. Default: false.
     */
    pad: flag(
      "Read lists of different lengths: classes that shorter lists lack are masked",
    ),
    /** Action for rows without a softmax (NaN, +inf, all -inf): throw BadRowError (default), write nulls, or omit the row. */
    onBadRow: text(
      "Rows with NaN, +inf or all -inf: stop, write nulls, or omit",
      {
        commands: RUNNING,
        choices: ["error", "null", "skip"],
        // A NaN usually means that an earlier step of the pipeline failed.
        default: "error",
      },
    ),
    /** Action for a null among the logits of a row: throw (default), or mask the class like -inf. A null row is a bad row. */
    nullLogit: text("Null logits: stop, or mask the class (-inf)", {
      choices: ["error", "mask"],
      // A null can mean "masked" or "missing"; only the producer of the file knows.
      default: "error",
    }),
    /** Whether to accept a stream that lacks its end-of-stream marker; default: false. */
    // Without the marker, a complete stream looks like a truncated one.
    allowMissingEos: flag(
      "Accept a stream that lacks its end-of-stream marker",
      { commands: [...READING, "effects"] },
    ),
  }),
  section("Results", RUNNING, "bytes", {
    /** Names of the results, in column order; default: softmax and jacobian (coo: jacobian). */
    emit: list("Results, e.g. softmax,entropy (default: softmax,jacobian)", {
      choices: [...EMIT_NAMES, ...DROPPED],
    }),
    /** Layout of the Jacobian blocks; default: bsr. */
    layout: text("Layout of the Jacobian blocks", {
      choices: LAYOUTS,
      // SciPy and PyTorch use these blocks without a copy.
      default: "bsr",
    }),
    /** Threshold of the layouts csr and coo: entries with a smaller |value| are not stored; default: 0, which drops only zeros. */
    threshold: number(
      "For csr and coo: drop entries whose absolute value is below this, without renormalizing",
      { range: [0, Number.MAX_VALUE], default: 0 },
    ),
    /** Maximum number of entries per block in the layouts csr and coo: the largest by |value|, the first ones if equal; default: all. */
    topK: positive(
      "For csr and coo: keep only the n largest entries of each block (by absolute value)",
    ),
    /** Temperature T of softmax(o/T), 1e-100 to 1e100; default: 1. */
    temperature: number("T of softmax(o/T), from 1e-100 to 1e100", {
      commands: [...RUNNING, "reduce"],
      // Outside this range the exact product of a quotient and T overflows or underflows float64.
      range: [1e-100, 1e100],
      default: 1,
    }),
    /** Path of a JSON file that `calibrate` wrote, whose temperature is used; excludes `temperature`. */
    temperatureFile: text(
      "JSON file of softjac calibrate, whose temperature is used",
      { commands: [...RUNNING, "reduce"], file: "read" },
    ),
    /** Class k of the result `column` for all rows, 0-based. */
    class: integer("Class index k for --emit column (0-based)", {
      commands: [...RUNNING, "reduce"],
      range: [0, 2 ** 31 - 1],
    }),
  }),
  section("Results", COMPARING, "bytes", {
    /** Name of the input column with class k of the result `column` for each row. */
    classColumn: text(
      "Input column holding k for each row (for --emit column)",
    ),
    /**
     * Name of the input column of true classes for `cross_entropy` and `gradient`: class numbers or class names. Beside a file
     * of arrays also the path of an `.npy` file, if no array has this name (not in datasets).
     */
    label: text(
      "Input column of true classes for --emit cross_entropy and gradient, or an .npy file beside a file of arrays",
      { commands: [...RUNNING, "verify"] },
    ),
    /** Names of the classes, in the order of the logits; default: names of the columns or struct fields of logits. */
    classNames: names(
      "Names of the classes in the order of the logits, e.g. cat,dog; labels may be such names",
    ),
    /** Name of the input column of `[Q]` vectors for `vjp` and `log_vjp`. */
    cotangent: text("Input column of vectors for --emit vjp and log_vjp"),
    /** Name of the input column of `[Q]` vectors for `jvp` and `log_jvp`. */
    tangent: text("Input column of vectors for --emit jvp and log_jvp"),
    /** Name of the input column of covariances: `[Q]` diagonals, `[Q(Q+1)/2]` upper triangles or `[Q·Q]` matrices, row-major. */
    covariance: text(
      "Input column of covariance matrices for --emit covariance, variance and std_error: diagonal, upper triangle or full",
    ),
    /** Whether a dense tensor may exceed 1 GiB; default: false. */
    forceDense: flag("Allow a dense tensor of more than 1 GiB", {
      commands: RUNNING,
      affects: "process",
    }),
  }),
] as const;

export const OUTPUT_SECTIONS = [
  section("Output", ["run", "dataset"], "process", {
    /**
     * Path of the Arrow IPC file to write, or `-` for an Arrow IPC stream on standard output; of a dataset, path of the
     * directory to write, or `s3://bucket/prefix`.
     */
    output: outputPath("Output file or directory; - is standard output"),
  }),
  section("Output", RUNNING, "process", {
    /** Path of the directory of the dataset, or `s3://bucket/prefix`. */
    output: outputPath(DATASET_HELP, { commands: ["plan", "run-shard"] }),
    /** Names or patterns (`*`, `?`) of input columns, or of `name=value` directories of its path, to copy to the output; default: none. */
    keep: names("Input columns to copy to the output, e.g. id,label", {
      affects: "bytes",
    }),
    /** Type of the results; default: float32 for logits of type float16, bfloat16 or float32, else float64. */
    dtype: text(
      "Type of the results (default: float32 for float16, bfloat16 and float32 logits, else float64)",
      { commands: [...RUNNING, "inspect"], choices: FLOATS, affects: "bytes" },
    ),
    /** Compression of record batches, as LZ4 frames or Zstandard of level 1; default: none. */
    compress: text("Compress the record batches (default: no compression)", {
      choices: CODEC_NAMES,
      affects: "bytes",
    }),
    /** Whether to replace an existing output file; default: false. */
    force: flag("Overwrite the output file if it exists", {
      commands: ["run", "generate", "report", ...MERGING],
      alias: "f",
    }),
    /** Whether to wait until the output is on disk (fsync) before it is renamed into place; default: true. */
    sync: flag("Wait until the output is on disk (fsync)", {
      commands: [...COMPUTING, "generate", "report", ...MERGING],
      // Without it, a power failure can leave a complete-looking file without its data.
      default: true,
    }),
  }),
  section("Running", COMPUTING, "process", {
    /** Number of threads, 1 to 256; default: the available cores, or none if the input is too small to gain from them. */
    threads: integer("Threads, 1 to 256 (default: available cores)", {
      commands: [...COMPUTING, "verify", ...SUMMING],
      range: [1, 256],
    }),
    /** Rows per chunk; default: about 8 MiB of input and output. Does not change the output. */
    chunkRows: positive(
      "Rows per chunk (default: about 8 MiB of input and output); does not change the output",
      { commands: [...COMPUTING, ...SUMMING] },
    ),
  }),
] as const;
