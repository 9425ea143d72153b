import type { RunOptions } from "../options.js";
import {
  type OptionSpec,
  RUN_OPTIONS,
  type RunOptionSpec,
} from "../options-table.js";

const AS_RUN = [
  "column",
  "columns",
  "classAxis",
  "binary",
  "pad",
  "nullLogit",
  "allowMissingEos",
  "dtype",
] as const;

/** Options of `inspect`. Only `input` is required. */
export interface InspectOptions
  extends Pick<RunOptions, "input" | (typeof AS_RUN)[number]> {
  /** Whether to read all logits, for their range, masked classes and bad rows; default: false. */
  scan?: boolean | undefined;
}

/** One table: the library checks by it, the CLI makes its flags and help from it. */
export const INSPECT_OPTIONS: readonly OptionSpec<
  Exclude<keyof InspectOptions, "input">
>[] = [
  ...RUN_OPTIONS.filter(
    (spec): spec is RunOptionSpec<(typeof AS_RUN)[number]> =>
      AS_RUN.some((name) => name === spec.name),
  ),
  {
    name: "scan",
    isCommon: true,
    kind: "boolean",
    default: false,
    group: "Values",
    help: "Read all logits: range, masked classes, rows without a softmax",
  },
];
