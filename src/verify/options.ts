import type { RunOptions } from "../options.js";
import { type OptionSpec, RUN_OPTIONS } from "../options-table.js";

/** Input columns and reading options, as for `run`; default: those that the metadata of the output records. */
const AS_RUN = [
  "column",
  "columns",
  "classAxis",
  "binary",
  "pad",
  "classColumn",
  "label",
  "classNames",
  "cotangent",
  "tangent",
  "covariance",
  "nullLogit",
  "allowMissingEos",
  "threads",
] as const;

/** Options of `verify`. Only `output` and `input` are required; those of `run` default to what the output records. */
export interface VerifyOptions
  extends Pick<RunOptions, (typeof AS_RUN)[number]> {
  /** Path of the output to check. */
  output: string;
  /** Path of the input of the run that wrote it; `-` is standard input. */
  input: string;
  /** Number of random rows to recompute with 31 digits, including the first and the last; default: 1,000. */
  sample?: number | undefined;
  /** Whether to recompute every row and compare every byte with a new run; default: false. */
  all?: boolean | undefined;
  /** Factor applied to the guaranteed error bounds, 1e-6 to 1e6; default: 1. */
  tolerance?: number | undefined;
  /** Seed of the sample; default: 0. */
  seed?: number | undefined;
}

/** As exact as a sample of a thousand can be told from a whole file: errors do not hide in a few rows only. */
export const DEFAULT_SAMPLE = 1000;

/** One table: the library checks by it, the CLI makes its flags and help from it. */
export const VERIFY_OPTIONS: readonly OptionSpec[] = [
  {
    name: "input",
    isCommon: true,
    kind: "string",
    file: "read",
    alias: "i",
    group: "Input",
    help: "Input file of the run that wrote the output",
  },
  ...RUN_OPTIONS.filter(({ name }) => AS_RUN.some((own) => own === name)),
  {
    name: "sample",
    isCommon: true,
    kind: "integer",
    range: [1, Number.MAX_SAFE_INTEGER],
    default: DEFAULT_SAMPLE,
    group: "Values",
    help: "Number of random rows to recompute in high precision",
  },
  {
    name: "all",
    isCommon: true,
    kind: "boolean",
    default: false,
    group: "Values",
    help: "Recompute every row and compare every byte with a new run",
  },
  {
    name: "tolerance",
    kind: "number",
    range: [1e-6, 1e6],
    default: 1,
    group: "Values",
    help: "Factor applied to the guaranteed error bounds, 1e-6 to 1e6",
  },
  {
    name: "seed",
    isCommon: true,
    kind: "integer",
    default: 0,
    group: "Values",
    help: "Seed of the sample",
  },
];
