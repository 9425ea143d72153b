import { resolve } from "node:path";
import { checkNames, checkPath, checkValue } from "../check-options.js";
import { UsageError } from "../errors.js";
import { LIMIT_NAMES } from "../input/limits.js";
import {
  type ResolvedOptions,
  type RunOptions,
  resolveOptions,
} from "../options.js";
import { type OptionSpec, RUN_OPTIONS } from "../options-table.js";
import { isEntriesLayout } from "../results/catalogue.js";

/** What a run over a dataset is asked to do, beside what any run is. */
export interface DatasetOptions
  extends Omit<RunOptions, "input" | "output" | "force"> {
  /** Files, folders of files, and patterns: `*` stands for a part of a name, `**` for any folders between. */
  inputs: readonly string[];
  /** Path of the folder to make. */
  output: string;
  /** Rows of a part at most. */
  shardRows?: number | undefined;
  /** Bytes of a part, about. */
  shardBytes?: number | undefined;
  /** Replace another dataset. */
  overwrite?: boolean | undefined;
}

/** Beside RUN_OPTIONS, in the same table of the CLI. */
export const DATASET_OPTIONS = [
  {
    name: "shardRows",
    kind: "integer",
    range: [1, Number.MAX_SAFE_INTEGER],
    group: "Dataset",
    help: "Rows of a part at most (default: as --shard-bytes has it)",
  },
  {
    name: "shardBytes",
    kind: "integer",
    range: [1, Number.MAX_SAFE_INTEGER],
    // What is lost when a machine dies, and what a task of a scheduler does in a second or two.
    default: 256 * 2 ** 20,
    group: "Dataset",
    help: "Bytes of a part, about (csr and coo: of what it is made from)",
  },
  {
    name: "overwrite",
    kind: "boolean",
    default: false,
    group: "Dataset",
    help: "Replace the dataset of another run, once the new one is complete",
  },
] as const satisfies readonly OptionSpec[];

export interface ResolvedDataset {
  readonly inputs: readonly string[];
  /** Absolute: a run may go on from another folder. */
  readonly output: string;
  readonly shardRows: number | undefined;
  readonly shardBytes: number;
  readonly overwrite: boolean;
  /** Of one of its inputs. */
  of(input: string): ResolvedOptions;
}

/**
 * Checks options and fills in defaults.
 * @throws UsageError naming the option, what it takes, and what was found
 */
export function resolveDataset(options: DatasetOptions): ResolvedDataset {
  checkNames(options, [
    "inputs",
    ...[...RUN_OPTIONS, ...DATASET_OPTIONS]
      .map(({ name }) => name)
      .filter((name) => name !== "force"),
  ]);
  const { inputs, output, shardRows, shardBytes, overwrite, ...run } = options;
  if (!Array.isArray(inputs) || inputs.length === 0)
    throw new UsageError(
      "inputs: expected one path or more, found none",
      "inputs",
    );
  for (const input of inputs) checkPath("inputs", input);
  checkPath("output", output);
  if (output === "-")
    throw new UsageError(
      "output: expected a folder for the dataset, found standard output",
      "output",
    );
  for (const spec of DATASET_OPTIONS) checkValue(spec, options[spec.name]);
  if (options.layout === "dense")
    throw new UsageError(
      "layout: expected one whose rows stand alone, found dense, whose rows are as long as the whole input",
      "layout",
    );
  const of = (input: string) => resolveOptions({ ...run, input, output });
  of(inputs[0] as string);
  return Object.freeze({
    inputs: Object.freeze([...inputs]),
    output: resolve(output),
    shardRows,
    shardBytes: shardBytes ?? 256 * 2 ** 20,
    overwrite: overwrite ?? false,
    of,
  });
}

/** Options that change no byte, and that each process may have its own of. */
export const PROCESS_OPTIONS: readonly string[] = [
  "threads",
  "chunkRows",
  "kernel",
  "sync",
  ...LIMIT_NAMES,
];

/** Those of a run's options that change bytes of its output. */
const BYTES_OPTIONS = [
  "column",
  "columns",
  "keep",
  "emit",
  "layout",
  "threshold",
  "topK",
  "temperature",
  "class",
  "inputs",
  "dtype",
  "onBadRow",
  "nullLogit",
  "allowMissingEos",
  "tensorType",
  "compress",
] as const satisfies readonly (keyof ResolvedOptions)[];

export type BytesOptions = Pick<
  ResolvedOptions,
  (typeof BYTES_OPTIONS)[number]
>;

export function bytesOptions(options: ResolvedOptions): BytesOptions {
  const pairs = BYTES_OPTIONS.map((name) => [name, options[name]]);
  return Object.fromEntries(pairs) as BytesOptions;
}

/** The same as a run is asked for them. */
export function runOptionsOf({
  inputs,
  threshold,
  ...options
}: BytesOptions): Omit<RunOptions, "input" | "output"> {
  return {
    ...options,
    ...(isEntriesLayout(options.layout) && { threshold }),
    ...Object.fromEntries(inputs.map(({ option, name }) => [option, name])),
  };
}
