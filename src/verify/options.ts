import type { RunOptions } from "../options/run-options.js";

/** Options of `verify`. Only `output` and `input` are required; those of `run` default to what the output records. */
export interface VerifyOptions
  extends Pick<
    RunOptions,
    | ("column" | "columns" | "classAxis" | "binary" | "pad" | "classColumn")
    | ("label" | "classNames" | "cotangent" | "tangent" | "covariance")
    | ("nullLogit" | "allowMissingEos" | "threads")
  > {
  /** Path of the output to check. */
  output: string;
  /** Path of the input of the run that wrote it; `-` is standard input. */
  input: string;
  /** Number of random rows to recompute with 31 digits, including the first and the last; default: 1,000. */
  sample?: number | undefined;
  /** Whether to recompute every row and compare every byte with a new run; default: false. */
  all?: boolean | undefined;
  /** Seed of the sample; default: 0. */
  seed?: number | undefined;
}
