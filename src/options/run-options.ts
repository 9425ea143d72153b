import { availableParallelism } from "node:os";
import { basename } from "node:path";
import { UsageError } from "../errors.js";
import { shortName } from "../printable.js";
import {
  type AuxiliaryName,
  EMITS,
  isDropped,
  isEntriesLayout,
  isJacobian,
  type Layout,
} from "../results/catalogue.js";
import {
  auxiliaryColumns,
  checkEmit,
  defaultEmit,
  type RunEmit,
} from "../results/emit-options.js";
import { partitionReader } from "../results/path-partitions.js";
import type { RowRange } from "../results/row-axes.js";
import type { Partition } from "../results/run-metadata.js";
import { type Resolved, resolve } from "./check-options.js";

/** Options of `run`. Only `input` and `output` are required. */
export interface RunOptions {
  /** Path of an Arrow IPC file or stream, or of a Parquet, .npy, .npz or safetensors file; `-` is standard input. */
  input: string;
  /** Path of the Arrow IPC file to write; `-` writes an Arrow IPC stream to standard output. */
  output: string;
  /** Name of the list or struct column of logits; default: the only one. */
  column?: string | undefined;
  /**
   * Names or patterns (`*`, `?`) of separate columns of logits, one per class, separated by commas. The classes are in this
   * order; columns of a pattern whose names end in numbers are ordered by number, others as in the file.
   */
  columns?: string | undefined;
  /**
   * Axis of the classes in arrays of two or more dimensions, 0-based, negative from the end; all other axes are rows, in
   * their order. Default: the last axis of two or three; arrays of more dimensions need it.
   */
  classAxis?: number | undefined;
  /**
   * Columns of features, in the order of the coefficients, instead of logits: names or patterns separated by commas, or one
   * column of lists. Needs `coefficients`.
   */
  features?: string | undefined;
  /** Whether a constant 1 precedes the features; default: false. */
  intercept?: boolean | undefined;
  /** Path of an .npy file of coefficients, features × classes: the logits are features × coefficients. */
  coefficients?: string | undefined;
  /** Reference class, whose column the coefficients lack, or `none` if they have all columns; default: 0. */
  base?: number | string | undefined;
  /**
   * Path of an .npy file with the covariance of the coefficients, class-major: each row has the covariance of its logits
   * for the results `std_error`, `variance` and `covariance`.
   */
  covarianceFile?: string | undefined;
  /**
   * Whether the input has margins z (log-odds of class 1), one number per row: the logits are then (0, z). Default: false.
   */
  binary?: boolean | undefined;
  /**
   * Whether lists of logits may have different lengths: the longest has all classes, and the classes that a row lacks are
   * masked, as -inf. Default: false.
   */
  pad?: boolean | undefined;
  /** Names or patterns (`*`, `?`) of input columns, or of `name=value` directories of its path, to copy to the output; default: none. */
  keep?: readonly string[] | undefined;
  /** Names of the results, in column order; default: softmax and jacobian (coo: jacobian). */
  emit?: readonly RunEmit[] | undefined;
  /** Layout of the Jacobian blocks; default: bsr. */
  layout?: Layout | undefined;
  /** Threshold of the layouts csr and coo: entries with a smaller |value| are not stored; default: 0, which drops only zeros. */
  threshold?: number | undefined;
  /** Maximum number of entries per block in the layouts csr and coo: the largest by |value|, the first ones if equal; default: all. */
  topK?: number | undefined;
  /** Whether a dense tensor may exceed 1 GiB; default: false. */
  forceDense?: boolean | undefined;
  /** Temperature T of softmax(o/T), 1e-100 to 1e100; default: 1. */
  temperature?: number | undefined;
  /** Path of a JSON file that `calibrate` wrote, whose temperature is used; excludes `temperature`. */
  temperatureFile?: string | undefined;
  /** Class k of the result `column` for all rows, 0-based. */
  class?: number | undefined;
  /** Name of the input column with class k of the result `column` for each row. */
  classColumn?: string | undefined;
  /**
   * Name of the input column of true classes for `cross_entropy` and `gradient`: class numbers or class names. Beside a file
   * of arrays also the path of an `.npy` file, if no array has this name (not in datasets).
   */
  label?: string | undefined;
  /** Names of the classes, in the order of the logits; default: names of the columns or struct fields of logits. */
  classNames?: readonly string[] | undefined;
  /** Name of the input column of `[Q]` vectors for `vjp` and `log_vjp`. */
  cotangent?: string | undefined;
  /** Name of the input column of `[Q]` vectors for `jvp` and `log_jvp`. */
  tangent?: string | undefined;
  /** Name of the input column of covariances: `[Q]` diagonals, `[Q(Q+1)/2]` upper triangles or `[Q·Q]` matrices, row-major. */
  covariance?: string | undefined;
  /** Type of the results; default: float32 for logits of type float16, bfloat16 or float32, else float64. */
  dtype?: "float32" | "float64" | undefined;
  /** Action for rows without a softmax (NaN, +inf, all -inf): throw BadRowError (default), write nulls, or omit the row. */
  onBadRow?: "error" | "null" | "skip" | undefined;
  /** Action for a null among the logits of a row: throw (default), or mask the class like -inf. A null row is a bad row. */
  nullLogit?: "error" | "mask" | undefined;
  /** Whether to accept a stream that lacks its end-of-stream marker; default: false. */
  allowMissingEos?: boolean | undefined;
  /** Compression of record batches, as LZ4 frames or Zstandard of level 1; default: none. */
  compress?: "lz4" | "zstd" | undefined;
  /** Number of worker threads, 1 to 256; default: the available cores, or none if the input is too small to gain from them. */
  threads?: number | undefined;
  /** Rows per chunk; default: about 8 MiB of input and output. Does not change the output. */
  chunkRows?: number | undefined;
  /** Whether to replace an existing output file; default: false. */
  force?: boolean | undefined;
  /** Whether to wait until the output is on disk (fsync) before it is renamed into place; default: true. */
  sync?: boolean | undefined;
}

type Defaults =
  | ("layout" | "threshold" | "temperature" | "forceDense" | "onBadRow")
  | ("nullLogit" | "allowMissingEos" | "force" | "sync");

/** Checked RunOptions with defaults; frozen. */
export interface ResolvedOptions
  extends Omit<
    Resolved<RunOptions, Defaults>,
    "binary" | "pad" | "temperatureFile" | "intercept" | "base"
  > {
  /** Name of the input in the output, without directories, so that moving a file does not change the output. */
  readonly source: string;
  /** Rows of the input to compute; null for all. */
  readonly part: RowRange | null;
  /** `true` or undefined, because only values that differ from the default have a key in the metadata. */
  readonly binary: true | undefined;
  readonly pad: true | undefined;
  readonly intercept: true | undefined;
  /** Undefined without coefficients. */
  readonly base: string | undefined;
  readonly keep: readonly string[];
  /** Hive partitions in the path of the input. */
  readonly partitions: readonly Partition[];
  readonly emit: readonly RunEmit[];
  /** Input columns that the results need beside the logits. */
  readonly inputs: readonly { option: AuxiliaryName; name: string }[];
  readonly threads: number;
  /** Whether the caller set `threads`; the smallest runs ignore the default. */
  readonly threadsExplicit: boolean;
}

/**
 * Checks options and fills in defaults, without changing the argument.
 * @throws UsageError with the option, the expected form and the value
 */
export function resolveOptions(given: RunOptions): ResolvedOptions {
  const options = resolve<RunOptions, Defaults>("run", withBase(given));
  const { column, columns, classNames = [], layout, input, threads } = options;
  const repeated = classNames.find((name, k) => classNames.indexOf(name) < k);
  if (repeated !== undefined)
    throw new UsageError(
      `classNames: ${shortName(repeated)} is given twice; every class needs a name of its own`,
      "classNames",
    );
  if (column !== undefined && columns !== undefined)
    throw new UsageError("column, columns: give only one of them", "columns");
  const emit = options.emit ?? defaultEmit(layout);
  checkEmit(emit, layout, options);
  checkModel(options);
  if (!isEntriesLayout(layout)) rejectEntriesOptions(layout, given);
  if (layout === "coo") rejectForCoo(options);
  return Object.freeze({
    ...options,
    emit: Object.freeze([...emit]),
    classNames: options.classNames && Object.freeze([...classNames]),
    keep: Object.freeze([...(options.keep ?? [])]),
    inputs: Object.freeze(auxiliaryColumns(emit, options)),
    part: null,
    source: basename(input),
    partitions: partitionReader([input])(input),
    binary: options.binary || undefined,
    pad: options.pad || undefined,
    intercept: options.intercept || undefined,
    base: options.coefficients === undefined ? undefined : `${options.base}`,
    threads: threads ?? availableParallelism(),
    threadsExplicit: threads !== undefined,
  });
}

/** Returns options in which the reference class is text. */
export function withBase<
  Options extends { base?: number | string | undefined },
>(given: Options): Options {
  return typeof given?.base === "number"
    ? { ...given, base: String(given.base) }
    : given;
}

/** Checks the options of logits that are features × coefficients. @throws UsageError */
export function checkModel(
  options: Pick<
    RunOptions,
    | ("features" | "coefficients" | "column" | "columns" | "classAxis")
    | ("temperature" | "covarianceFile" | "binary" | "pad")
  >,
): void {
  const { features, coefficients, temperature = 1 } = options;
  if (coefficients === undefined) {
    for (const name of ["features", "covarianceFile"] as const)
      if (options[name] !== undefined)
        throw new UsageError(`${name}: needs coefficients`, "coefficients");
    return;
  }
  if (features === undefined)
    throw new UsageError("coefficients: needs features", "features");
  for (const name of [
    ...(["column", "columns", "classAxis", "binary", "pad"] as const),
  ])
    if (options[name] !== undefined && options[name] !== false)
      throw new UsageError(
        `${name}: with coefficients the logits are features × coefficients; give only one of them`,
        name,
      );
  if (temperature !== 1)
    throw new UsageError("temperature: coefficients need 1", "temperature");
}

/**
 * Returns the options of the same run with another layout; coo omits results of several values.
 * @throws UsageError if the layout cannot have the results
 */
export function inLayout(
  options: ResolvedOptions,
  layout: Layout,
): ResolvedOptions {
  const isInCoo = (name: RunEmit) =>
    isDropped(name) || isJacobian(name) || EMITS[name].shape === "scalar";
  const emit = options.emit.filter((name) => layout !== "coo" || isInCoo(name));
  checkEmit(emit, layout, options);
  if (layout === "coo") rejectForCoo(options);
  // The metadata records these two even where they have no effect.
  const none = isEntriesLayout(layout) ? {} : { threshold: 0, topK: undefined };
  return { ...options, layout, emit, ...none };
}

function rejectEntriesOptions(
  layout: Layout,
  { threshold, topK }: RunOptions,
): void {
  for (const [name, value] of Object.entries({ threshold, topK }))
    if (value !== undefined)
      throw new UsageError(
        `${name}: only layouts csr and coo drop entries; found layout ${layout}`,
        name,
      );
}

/** Rejects options that need one table row per example. */
function rejectForCoo({
  onBadRow,
  keep = [],
}: Pick<RunOptions, "onBadRow" | "keep">): void {
  if (onBadRow === "null")
    throw new UsageError(
      "onBadRow: layout coo has one table row per entry and cannot store null rows; use error or skip",
      "onBadRow",
    );
  if (keep.length > 0)
    throw new UsageError(
      `keep: layout coo has one table row per entry and cannot copy columns (${keep.join(", ")}); join them by the column row instead`,
      "keep",
    );
}
