import type { OptionSpec } from "../options-table.js";

/** Which row of which results. `results` and `row` must be given. */
export interface ShowOptions {
  /** Path of a file that `run` made, or of the folder of a dataset. */
  results: string;
  /** Row of the logits, from 0; of a dataset of its input. */
  row: number;
  /** Which input of a dataset, where there are several. */
  input?: string | undefined;
  /** The so many classes of the largest p, where there are more. */
  classes?: number | undefined;
}

/** More are no longer looked at. */
export const DEFAULT_CLASSES = 100;

/** One table: the library checks by it, the CLI makes its flags and help from it. */
export const SHOW_OPTIONS: readonly OptionSpec<
  Exclude<keyof ShowOptions, "results">
>[] = [
  {
    name: "row",
    isCommon: true,
    kind: "integer",
    range: [0, Number.MAX_SAFE_INTEGER],
    group: "Input",
    help: "Row of the input, from 0",
  },
  {
    name: "input",
    isCommon: true,
    kind: "string",
    group: "Input",
    help: "Input of the row, for a dataset of several inputs",
  },
  {
    name: "classes",
    isCommon: true,
    kind: "integer",
    range: [1, 10_000],
    group: "Values",
    help: "Number of classes to show, by decreasing p (default: as many as fit; 100 in JSON)",
  },
];
