import type { OptionSpec } from "../options-table.js";

/** Options of `show`. Only `results` and `row` are required. */
export interface ShowOptions {
  /** Path of an output file, or of the directory of a dataset. */
  results: string;
  /** Row of the input, 0-based. */
  row: number;
  /** Positions of the row along further axes, 0-based; required for an output with columns of positions. */
  position?: readonly number[] | undefined;
  /** Input of the row, as the dataset names it; required for a dataset of several inputs. */
  input?: string | undefined;
  /** Maximum number of classes to return, by decreasing p; default: 100. */
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
    name: "position",
    isCommon: true,
    kind: "ranges",
    group: "Input",
    help: "Position of the row, for an output with a column position, from 0; of several: 3,7",
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
