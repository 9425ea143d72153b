import { availableParallelism } from "node:os";
import { basename, dirname } from "node:path";
import { checkNames, checkPath, checkValue } from "./check-options.js";
import { UsageError } from "./errors.js";
import { type Limits, limitsOf } from "./input/limits.js";
import type { LogitsFile, OpenOptions } from "./input/logits-file.js";
import { RUN_OPTIONS } from "./options-table.js";
import type { Part } from "./part.js";
import {
  currentName,
  DROPPED,
  type InputName,
  isEntriesLayout,
  type Layout,
} from "./results/catalogue.js";
import {
  checkEmit,
  defaultEmit,
  inputsOf,
  type RunEmit,
} from "./results/emit-options.js";
import { encodeRunMetadata } from "./results/run-metadata.js";
import { isS3 } from "./store/location.js";
import { VERSION } from "./version.js";

/** What a file may say of itself before it is refused; each has a default that files which people have do not reach. */
export type LimitOptions = {
  [Name in keyof Limits]?: Limits[Name] | undefined;
};

/** What a run is asked to do. Only `input` and `output` must be given. */
export interface RunOptions extends LimitOptions {
  /** Path of an Arrow IPC file or stream, or a Parquet, .npy, .npz or safetensors file; `-` is standard input. */
  input: string;
  /** Path of the file to make; `-` writes an Arrow IPC stream to standard output. */
  output: string;
  /** Name of the column of lists that holds the logits. */
  column?: string | undefined;
  /** Pattern (`*`, `?`) of the separate columns that hold the logits, one per class, in file order. */
  columns?: string | undefined;
  /** Names of input columns to copy into the output. */
  keep?: readonly string[] | undefined;
  /** Columns of results, in order; default softmax and jacobian (coo: jacobian). */
  emit?: readonly RunEmit[] | undefined;
  /** How the blocks are laid out. */
  layout?: Layout | undefined;
  /** Layouts csr and coo: entries with |value| less than this are left out. */
  threshold?: number | undefined;
  /** Layouts csr and coo: the so many largest |entries| of each block are kept, of equal ones the first. */
  topK?: number | undefined;
  /** Allow a dense tensor over 1 GiB. */
  forceDense?: boolean | undefined;
  /** T of softmax(o/T). */
  temperature?: number | undefined;
  /** The class of `column`. */
  class?: number | undefined;
  /** Name of the column of the class of `column`, row by row. */
  classColumn?: string | undefined;
  /** Name of the column of class numbers of `cross_entropy` and `gradient`. */
  label?: string | undefined;
  /** Name of the column of `[classes]` vectors of `vjp` and `log_vjp`. */
  cotangent?: string | undefined;
  /** Name of the column of `[classes]` vectors of `jvp` and `log_jvp`. */
  tangent?: string | undefined;
  /** Name of the column of covariances: `[Q]` diagonals, `[Q(Q+1)/2]` triangles or `[Q·Q]` matrices. */
  covariance?: string | undefined;
  /** Type of the results; default: that of the logits. */
  dtype?: "float32" | "float64" | undefined;
  onBadRow?: "error" | "null" | "skip" | undefined;
  /** A null among a row's logits: refuse it, or take it for a masked class (-inf). A row that is null is a bad row. */
  nullLogit?: "error" | "mask" | undefined;
  /** Take a stream that ends without its end-of-stream marker for whole. */
  allowMissingEos?: boolean | undefined;
  /** Mark `jacobian` as arrow.fixed_shape_tensor. */
  tensorType?: boolean | undefined;
  /** Compress the bodies of record batches: LZ4 frames, or Zstandard. */
  compress?: "lz4" | "zstd" | undefined;
  /** Worker threads, 1 to 256; default: the cores there are, and none where a run is over before they start. */
  threads?: number | undefined;
  /** Rows per task. Changes no byte of the output. */
  chunkRows?: number | undefined;
  kernel?: "auto" | "simd" | "plain" | undefined;
  /** Replace an existing output file. */
  force?: boolean | undefined;
  /** Wait until the output is on the disk before it gets its name. */
  sync?: boolean | undefined;
}

/** RunOptions checked, with every default in place; frozen. */
export interface ResolvedOptions {
  readonly input: string;
  /** What the output calls its input: by its name alone, so that moving a file changes no byte. */
  readonly source: string;
  readonly output: string;
  /** Rows of the input that the run is over; null: all. */
  readonly part: Part | null;
  readonly column: string | undefined;
  readonly columns: string | undefined;
  readonly keep: readonly string[];
  readonly emit: readonly RunEmit[];
  readonly layout: Layout;
  readonly threshold: number;
  readonly topK: number | undefined;
  readonly forceDense: boolean;
  readonly temperature: number;
  readonly class: number | undefined;
  /** The other columns that the results need. */
  readonly inputs: readonly { option: InputName; name: string }[];
  readonly dtype: "float32" | "float64" | undefined;
  readonly onBadRow: "error" | "null" | "skip";
  readonly nullLogit: "error" | "mask";
  readonly allowMissingEos: boolean;
  readonly tensorType: boolean;
  readonly compress: "lz4" | "zstd" | undefined;
  readonly threads: number;
  /** Not the default: taken for all but the smallest runs. */
  readonly threadsAsked: boolean;
  readonly chunkRows: number | undefined;
  readonly kernel: "auto" | "simd" | "plain";
  readonly force: boolean;
  readonly sync: boolean;
  readonly limits: Limits;
}

/** Returns options with the names that results have now. */
function withCurrentNames(options: RunOptions): RunOptions {
  if (!Array.isArray(options?.emit)) return options;
  return { ...options, emit: options.emit.map(currentName) as RunEmit[] };
}

/**
 * Checks options and fills in defaults. The argument is not changed.
 * @throws UsageError naming the option, what it takes, and what was found
 */
export function resolveOptions(given: RunOptions): ResolvedOptions {
  const options = withCurrentNames(given);
  checkNames(options, ["input", ...RUN_OPTIONS.map(({ name }) => name)]);
  const { input, output } = options;
  checkPath("input", input);
  checkPath("output", output);
  for (const spec of RUN_OPTIONS) checkValue(spec, options[spec.name]);
  const { column, columns, keep = [] } = options;
  if (column !== undefined && columns !== undefined)
    throw new UsageError(
      "column, columns: expected one of the two, found both",
      "columns",
    );
  const twice = keep.find((name, k) => keep.indexOf(name) !== k);
  if (twice !== undefined)
    throw new UsageError(
      `keep: expected each column once, found ${twice} twice`,
      "keep",
    );
  const layout = options.layout ?? "bsr";
  const emit = options.emit ?? defaultEmit(layout);
  checkEmit(emit, layout, options);
  if (!isEntriesLayout(layout)) refuseForBlocks(layout, options);
  if (layout === "coo") refuseForCoo(options);
  return Object.freeze({
    emit: Object.freeze([...emit]),
    layout,
    threshold: options.threshold ?? 0,
    topK: options.topK,
    forceDense: options.forceDense ?? false,
    temperature: options.temperature ?? 1,
    class: options.class,
    inputs: Object.freeze(inputsOf(emit, options)),
    input,
    part: null,
    source: basename(input),
    output,
    column,
    columns,
    keep: Object.freeze([...keep]),
    dtype: options.dtype,
    onBadRow: options.onBadRow ?? "error",
    nullLogit: options.nullLogit ?? "error",
    allowMissingEos: options.allowMissingEos ?? false,
    tensorType: options.tensorType ?? true,
    compress: options.compress,
    threads: options.threads ?? availableParallelism(),
    threadsAsked: options.threads !== undefined,
    chunkRows: options.chunkRows,
    kernel: options.kernel ?? "auto",
    force: options.force ?? false,
    sync: options.sync ?? true,
    limits: Object.freeze(limitsOf(options)),
  });
}

/** Options of single entries. */
function refuseForBlocks(
  layout: Layout,
  { threshold, topK }: RunOptions,
): void {
  for (const [name, value] of Object.entries({ threshold, topK }))
    if (value !== undefined)
      throw new UsageError(
        `${name}: expected layout csr or coo, found ${layout}, which keeps every entry`,
        name,
      );
}

/** Where a table row is an entry, an example has no place of its own. */
function refuseForCoo({ onBadRow, keep = [] }: RunOptions): void {
  if (onBadRow === "null")
    throw new UsageError(
      "onBadRow: expected error or skip in layout coo, whose table rows are entries, found null",
      "onBadRow",
    );
  if (keep.length > 0)
    throw new UsageError(
      `keep: expected no columns to keep in layout coo, whose table rows are entries (join them by row), found ${keep.join(", ")}`,
      "keep",
    );
}

/** Metadata of the output: how it is made, in the same bytes for any threads, chunks and kernel. */
export function metadataOf(
  options: ResolvedOptions,
  logits: LogitsFile,
  dtype: "float32" | "float64",
): [key: string, value: string][] {
  const { part, inputs, keep, ...others } = options;
  const { rows, classes, classNames, selection } = logits;
  return encodeRunMetadata({
    ...others,
    ...part,
    ...Object.fromEntries(inputs.map(({ option, name }) => [option, name])),
    keep: keep.length > 0 ? keep : undefined,
    version: VERSION,
    rows,
    classes,
    classNames: classNames ?? undefined,
    dtype,
    ...selection,
  });
}

/** What opening the input must know. */
export function openOptionsOf(
  options: ResolvedOptions,
  signal?: AbortSignal,
): OpenOptions {
  const parts =
    options.layout === "factored"
      ? ["softmax", "argmax", "tail"]
      : options.layout === "csr"
        ? ["indices", "values", ...DROPPED]
        : [];
  return {
    ...options,
    ownNames: ["row", ...options.emit, ...parts],
    scratch:
      options.output === "-" || isS3(options.output)
        ? undefined
        : dirname(options.output),
    signal,
  };
}
