import { availableParallelism } from "node:os";
import { basename } from "node:path";
import { UsageError } from "../errors.js";
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
import { resolve } from "./check-options.js";
import type { OptionsOf, Resolved } from "./options-table.js";

/** Options of `run`. Only `input` and `output` are required. */
export interface RunOptions extends OptionsOf<"run"> {}

/** Checked RunOptions with defaults; frozen. */
export interface ResolvedOptions
  extends Omit<
    Resolved<"run">,
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
  /** For verify: whether class names from the metadata of an output are codes of labels. */
  readonly classCodes?: boolean;
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
  const options = resolve("run", withBase(given));
  const { classNames = [], layout, input, threads } = options;
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
      );
  if (temperature !== 1)
    throw new UsageError("temperature: coefficients need 1");
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
    );
  if (keep.length > 0)
    throw new UsageError(
      `keep: layout coo has one table row per entry and cannot copy columns (${keep.join(", ")}); join them by the column row instead`,
    );
}
