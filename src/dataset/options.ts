import { existsSync } from "node:fs";
import { UsageError } from "../errors.js";
import { isRemote, resolveLocation } from "../io/location.js";
import { type ModelOptions, withFileNames } from "../model/run-model.js";
import { copyOptions, resolve } from "../options/check-options.js";
import { type OptionsOf, optionsOf } from "../options/options-table.js";
import {
  type ResolvedOptions,
  type RunOptions,
  resolveOptions,
  withBase,
} from "../options/run-options.js";
import { ARROW, checkName } from "../output/written-files.js";
import { isAuxiliaryName, isEntriesLayout } from "../results/catalogue.js";

/** Options of `runDataset` and `planDataset`. Only `inputs` and `output` are required. */
export interface DatasetOptions extends OptionsOf<"dataset"> {}

export type ResolvedDataset = ReturnType<typeof resolveDataset>;

const RUN = optionsOf("run").map(({ name }) => name);

export function resolveDataset(given: DatasetOptions) {
  const options = resolve("dataset", withBase(given));
  const { inputs, output, overwrite, layout, label } = options;
  if (output === "-")
    throw new UsageError(
      "output: expected a directory for the dataset, found standard output",
    );
  checkName(output, ARROW);
  if (layout === "dense")
    throw new UsageError(
      "layout: dense cannot be split into shards; use bsr, packed, csr, coo or factored",
    );
  const all = Object.entries(copyOptions(given));
  const run = all.filter(([name]) => RUN.includes(name));
  const optionsFor = optionsOver(Object.fromEntries(run), output);
  optionsFor(inputs[0] as string);
  if (label?.endsWith(".npy") && existsSync(label))
    throw new UsageError(
      "label: a dataset reads the labels from its inputs; save logits and labels in one file with numpy.savez",
    );
  if (isRemote(output)) rejectOverwrite(output, overwrite);
  return Object.freeze({
    ...options,
    inputs: Object.freeze([...inputs]),
    /** Absolute path, because a run may be resumed from another directory. */
    output: resolveLocation(output),
    optionsFor,
  });
}

/** Rejects `overwrite` for S3, where a dataset cannot be replaced in one step. @throws UsageError */
export function rejectOverwrite(out: string, overwrite: boolean): void {
  if (overwrite)
    throw new UsageError(
      `overwrite: a dataset on S3 cannot be replaced; choose another prefix, or remove ${out} first`,
    );
}

/** Returns a function from an input to the options of its shards in a planned dataset, with others of this process. */
export function shardOptions(
  { inputs, threshold, ...options }: BytesOptions,
  { threads, chunkRows, sync }: Partial<RunOptions>,
  output: string,
): (input: string) => ResolvedOptions {
  const run = {
    ...options,
    ...(isEntriesLayout(options.layout) && { threshold }),
    ...Object.fromEntries(inputs.map(({ option, name }) => [option, name])),
    ...{ threads, chunkRows, sync },
  };
  return optionsOver(run, output);
}

/** Returns a function from an input to the options of a run over it. For S3, the local file of a shard need not be durable. */
function optionsOver(run: Partial<RunOptions>, output: string) {
  return (input: string): ResolvedOptions => {
    const options = resolveOptions({ ...run, input, output });
    return isRemote(output) ? { ...options, sync: false } : options;
  };
}

/** Options of a run that affect the output bytes, as in the options table. */
export type BytesOptions = Pick<
  ResolvedOptions,
  | ("column" | "columns" | "classAxis" | "binary" | "pad" | "onBadRow")
  | ("nullLogit" | "allowMissingEos" | "emit" | "layout" | "threshold" | "topK")
  | ("temperature" | "class" | "classNames" | "inputs" | "keep" | "dtype")
  | ("compress" | keyof ModelOptions)
>;

export function bytesOptions(given: ResolvedOptions): BytesOptions {
  const options = {
    ...withFileNames(given),
    // Resolved again from covarianceFile.
    inputs: given.inputs.filter(
      ({ option }) => option !== "covariance" || given.covariance !== undefined,
    ),
  };
  const names = optionsOf("run")
    .filter(({ affects }) => affects === "bytes")
    // Resolved options have all names of auxiliary columns in one list.
    .map(({ name }) => (isAuxiliaryName(name) ? "inputs" : name));
  return Object.fromEntries(
    names.map((name) => [name, options[name as keyof ResolvedOptions]]),
  ) as unknown as BytesOptions;
}
