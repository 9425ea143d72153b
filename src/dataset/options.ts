import { existsSync } from "node:fs";
import { checkNames, checkPath, checkValue } from "../check-options.js";
import { UsageError } from "../errors.js";
import {
  type ResolvedOptions,
  type RunOptions,
  resolveOptions,
} from "../options.js";
import { type OptionSpec, RUN_OPTIONS } from "../options-table.js";
import { ARROW, checkName } from "../output/output-name.js";
import { isEntriesLayout, isInputName } from "../results/catalogue.js";
import { isS3, resolveLocation } from "../store/location.js";
import {
  S3_OPTIONS,
  type S3Options,
  s3OptionsOf,
} from "../store/s3-options.js";
import { refuseOverwrite } from "./refuse-overwrite.js";
import type { StopLimits } from "./stopping.js";

/** Options of `runDataset` and `planDataset`, besides those of `run`. Only `inputs` and `output` are required. */
export interface DatasetOptions
  extends Omit<RunOptions, "input" | "output" | "force">,
    S3Options {
  /**
   * Files, directories, and patterns (`*` matches within a name, `**` any directories), or objects on S3 in the same way
   * (`s3://bucket/key`).
   */
  inputs: readonly string[];
  /** Path of the directory to write, or `s3://bucket/prefix`. */
  output: string;
  /** Maximum rows per shard; default: as many as `shardBytes` gives. */
  shardRows?: number | undefined;
  /** Approximate output bytes per shard (csr and coo: input bytes); default: 268,435,456. */
  shardBytes?: number | undefined;
  /** Whether to record the SHA-256 of every shard in the manifest; default: false. */
  checksums?: boolean | undefined;
  /** Whether to replace an existing dataset once the new one is complete; default: false. */
  overwrite?: boolean | undefined;
  /** Whether to recompute shards of the published dataset that are missing or damaged; default: false. */
  repair?: boolean | undefined;
  /** Whether to skip invalid inputs and compute the others; the dataset is then not published. Default: false. */
  keepGoing?: boolean | undefined;
  /** Whether to publish the dataset without skipped inputs; default: false. */
  allowMissing?: boolean | undefined;
  /** Seconds to finish or abandon the current shard after a stop; default: 25. */
  grace?: number | undefined;
  /** Seconds after which the call ends, with StoppedError if shards remain; default: no limit. */
  timeLimit?: number | undefined;
  /** Seconds without progress after which the call fails with StalledError; default: 600. */
  stallTimeout?: number | undefined;
}

/** How a process works on a dataset; changes no byte. */
export const WORK_OPTIONS = [
  {
    name: "keepGoing",
    kind: "boolean",
    default: false,
    group: "Dataset",
    help: "Skip invalid inputs and compute the others (exit code 65, dataset not published)",
  },
  {
    name: "grace",
    kind: "number",
    range: [0, 86_400],
    // Kubernetes kills 30 s after it has asked, Slurm likewise.
    default: 25,
    group: "Dataset",
    help: "Seconds to finish the current shard after a signal; then it is abandoned",
  },
  {
    name: "timeLimit",
    kind: "number",
    range: [0, 2_000_000],
    group: "Dataset",
    help: "Seconds after which the process ends, with exit code 75 if shards remain (default: no limit)",
  },
  {
    name: "stallTimeout",
    kind: "number",
    range: [0.1, 2_000_000],
    // A chunk takes milliseconds; a disk that is busy with others may take a minute for a sync.
    default: 600,
    group: "Dataset",
    help: "Seconds without progress after which the process gives up, with exit code 75",
  },
] as const satisfies readonly OptionSpec[];

export const REPAIR_OPTION = {
  name: "repair",
  kind: "boolean",
  default: false,
  group: "Dataset",
  help: "Recompute shards of the published dataset that are missing or damaged",
} as const satisfies OptionSpec;

/** Beside RUN_OPTIONS, in the same table of the CLI. */
export const DATASET_OPTIONS = [
  {
    name: "shardRows",
    kind: "integer",
    range: [1, Number.MAX_SAFE_INTEGER],
    group: "Dataset",
    help: "Maximum rows per shard (default: set by --shard-bytes)",
  },
  {
    name: "shardBytes",
    kind: "integer",
    range: [1, Number.MAX_SAFE_INTEGER],
    // What is lost when a machine dies, and what a task of a scheduler does in a second or two.
    default: 256 * 2 ** 20,
    group: "Dataset",
    help: "Approximate output bytes per shard (for csr and coo: input bytes)",
  },
  {
    name: "checksums",
    kind: "boolean",
    default: false,
    group: "Dataset",
    help: "Record the SHA-256 of every shard in the manifest (roughly doubles the work)",
  },
  {
    name: "overwrite",
    kind: "boolean",
    default: false,
    group: "Dataset",
    help: "Replace an existing dataset once the new one is complete",
  },
  {
    name: "allowMissing",
    kind: "boolean",
    default: false,
    group: "Dataset",
    help: "Publish the dataset without the skipped inputs",
  },
  REPAIR_OPTION,
  ...WORK_OPTIONS,
  ...S3_OPTIONS,
] as const satisfies readonly OptionSpec[];

/** How a process works on a dataset. */
export interface WorkOptions extends StopLimits {
  readonly keepGoing: boolean;
  readonly stallTimeout: number;
}

export interface ResolvedDataset {
  readonly inputs: readonly string[];
  /** Absolute: a run may go on from another folder. */
  readonly output: string;
  readonly shardRows: number | undefined;
  readonly shardBytes: number;
  readonly checksums: boolean;
  readonly overwrite: boolean;
  readonly allowMissing: boolean;
  readonly repair: boolean;
  readonly work: WorkOptions;
  readonly s3: S3Options;
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
  const { inputs, output, shardRows, shardBytes, overwrite, allowMissing } =
    options;
  if (!Array.isArray(inputs) || inputs.length === 0)
    throw new UsageError("inputs: expected at least one path", "inputs");
  for (const input of inputs) checkPath("inputs", input);
  checkPath("output", output);
  if (output === "-")
    throw new UsageError(
      "output: expected a directory for the dataset, found standard output",
      "output",
    );
  checkName(output, ARROW);
  for (const spec of DATASET_OPTIONS) checkValue(spec, options[spec.name]);
  if (options.layout === "dense")
    throw new UsageError(
      "layout: dense cannot be split into shards; use bsr, packed, csr, coo or factored",
      "layout",
    );
  const work = resolveWork(options);
  const run = Object.fromEntries(
    RUN_OPTIONS.map(({ name }) => [
      name,
      options[name as keyof typeof options],
    ]),
  );
  const of = (input: string) =>
    partOptions(resolveOptions({ ...run, input, output }));
  of(inputs[0] as string);
  if (options.label?.endsWith(".npy") && existsSync(options.label))
    throw new UsageError(
      "label: a dataset reads the labels from its inputs; save logits and labels in one file with numpy.savez",
      "label",
    );
  if (isS3(output)) refuseOverwrite(output, overwrite ?? false);
  return Object.freeze({
    inputs: Object.freeze([...inputs]),
    output: resolveLocation(output),
    shardRows,
    shardBytes: shardBytes ?? 256 * 2 ** 20,
    checksums: options.checksums ?? false,
    overwrite: overwrite ?? false,
    allowMissing: allowMissing ?? false,
    repair: options.repair ?? false,
    work,
    s3: s3OptionsOf(options),
    of,
  });
}

/**
 * The options of a part of a dataset, whoever makes it.
 * @param own those of the process that makes it, which do not change bytes
 */
export function optionsOfParts(
  options: BytesOptions,
  own: Partial<RunOptions>,
  output: string,
): (input: string) => ResolvedOptions {
  const run = { ...runOptionsOf(options), ...own, output };
  return (input) => partOptions(resolveOptions({ ...run, input }));
}

/** A part that is sent elsewhere need not be durable here. */
function partOptions(options: ResolvedOptions): ResolvedOptions {
  return isS3(options.output) ? { ...options, sync: false } : options;
}

/** @throws UsageError */
export function resolveWork({
  keepGoing = false,
  grace = 25,
  timeLimit,
  stallTimeout = 600,
}: Pick<
  DatasetOptions,
  "keepGoing" | "grace" | "timeLimit" | "stallTimeout"
>): WorkOptions {
  if (timeLimit !== undefined && timeLimit <= grace)
    throw new UsageError(
      `timeLimit: expected more than the grace period (${grace} s), found ${timeLimit}`,
      "timeLimit",
    );
  return { keepGoing, grace, timeLimit, stallTimeout };
}

/** Options that do not affect the output bytes; each process may set its own. */
export const PROCESS_OPTIONS: readonly string[] = RUN_OPTIONS.filter(
  ({ name, affects }) =>
    affects === "process" && !["output", "force", "forceDense"].includes(name),
).map(({ name }) => name);

/** Options of a process alone. */
export type ProcessOptions = S3Options &
  Pick<RunOptions, "threads" | "chunkRows" | "sync">;

/** Those of a process's own, as it was given them. */
export function processOptions(
  options: Partial<RunOptions>,
): Partial<RunOptions> {
  const given = Object.entries(options);
  return Object.fromEntries(
    given.filter(([name]) => PROCESS_OPTIONS.includes(name)),
  );
}

/** The options of a run that change bytes of its output. The options table says which they are. */
export type BytesOptions = Omit<
  ResolvedOptions,
  | "input"
  | "source"
  | "output"
  | "part"
  | "forceDense"
  | "threads"
  | "threadsAsked"
  | "chunkRows"
  | "force"
  | "sync"
>;

export function bytesOptions(options: ResolvedOptions): BytesOptions {
  const names = RUN_OPTIONS.filter(({ affects }) => affects === "bytes").map(
    // Once resolved, the names of auxiliary columns are in one list.
    ({ name }) => (isInputName(name) ? "inputs" : name),
  );
  return Object.fromEntries(
    names.map((name) => [name, options[name as keyof ResolvedOptions]]),
  ) as unknown as BytesOptions;
}

/** Turns resolved options back into the options of a call. */
function runOptionsOf({
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
