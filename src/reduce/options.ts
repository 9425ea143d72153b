import { availableParallelism } from "node:os";
import { UsageError } from "../errors.js";
import {
  baseOf,
  Coefficients,
  type Matrix,
  readMatrix,
} from "../model/coefficients.js";
import { type Resolved, resolve } from "../options/check-options.js";
import type { RunHooks } from "../options/hooks.js";
import {
  checkModel,
  type RunOptions,
  withBase,
} from "../options/run-options.js";
import { auxiliaryOf, type ReductionName } from "../results/reductions.js";
import { type RowSums, type SumRequest, sumInputs } from "./sum-inputs.js";

/** Options of `reduce` and `effects` that select the rows and their features. */
export interface RowOptions
  extends Pick<
    RunOptions,
    | ("allowMissingEos" | "label" | "classNames" | "threads" | "chunkRows")
    | ("force" | "sync")
  > {
  /** Paths of the input files; their rows are summed together. `-` is standard input. */
  inputs: readonly string[];
  /** Columns of features, in this order: names or patterns separated by commas, or one column of lists. */
  features?: string | undefined;
  /** Whether a constant 1 precedes the features, as the term `(intercept)`; default: false. */
  intercept?: boolean | undefined;
  /** Path of an .npy file of coefficients, features × classes; the logits are features × coefficients. */
  coefficients?: string | undefined;
  /** Reference class, whose column the coefficients lack, or `none` if they have all columns; default: 0. */
  base?: number | string | undefined;
  /** Name of the column of frequency weights; default: 1 for each row. */
  weight?: string | undefined;
  /** Names of the columns whose values form groups; default: one group of all rows. */
  by?: readonly string[] | undefined;
  /** Action for bad rows: throw BadRowError (default), or leave them out. */
  onBadRow?: "error" | "skip" | undefined;
  /** Maximum memory of the sums of all groups and threads, in bytes; default: 1 GiB. */
  maxSumsBytes?: number | undefined;
  /** Whether the output has the sums themselves, for `mergePartials`; default: false. */
  partial?: boolean | undefined;
}

type RowDefaults =
  | ("allowMissingEos" | "intercept" | "base" | "onBadRow" | "maxSumsBytes")
  | ("force" | "sync" | "partial");

/** Options of `reduce`. Only `inputs` and `output` are required. */
export interface ReduceOptions
  extends RowOptions,
    Pick<
      RunOptions,
      | ("column" | "columns" | "classAxis" | "binary" | "pad" | "nullLogit")
      | ("temperature" | "temperatureFile" | "class" | "classColumn")
      | ("cotangent" | "tangent" | "covariance")
    > {
  /** Path of the Arrow file to write. */
  output: string;
  /** Names of the results; default: softmax and jacobian. */
  emit?: readonly ReductionName[] | undefined;
  /** Symmetric matrices whole, or as upper triangles; default: bsr. */
  layout?: "bsr" | "packed" | undefined;
}

export type ResolvedReduceOptions = Resolved<
  ReduceOptions,
  RowDefaults | "temperature" | "layout" | "binary" | "pad" | "nullLogit"
>;

/** Checks options and fills in defaults. @throws UsageError */
export function resolveReduceOptions(
  given: ReduceOptions,
): ResolvedReduceOptions {
  const options = resolve<
    ReduceOptions,
    RowDefaults | "temperature" | "layout" | "binary" | "pad" | "nullLogit"
  >("reduce", withBase(given));
  const { column, columns } = options;
  if (column !== undefined && columns !== undefined)
    throw new UsageError("column, columns: give only one of them", "columns");
  if (options.coefficients !== undefined) checkModel(options);
  return options;
}

type CommonOptions = Resolved<RowOptions, RowDefaults> &
  Partial<Pick<ReduceOptions, "column" | "columns" | "classAxis">> & {
    binary?: boolean | undefined;
    pad?: boolean | undefined;
    nullLogit?: "error" | "mask" | undefined;
  } & Partial<
    Pick<ReduceOptions, "classColumn" | "cotangent" | "tangent" | "covariance">
  >;

/** Source of matrices and sums: files, or partial sums. */
export interface SumSource {
  readMatrix(path: string): Promise<Matrix>;
  sum(request: SumRequest, hooks: RunHooks): Promise<RowSums>;
}

export const FILES: SumSource = { readMatrix, sum: sumInputs };

/**
 * Returns the request to sum rows, without its passes. Reads the coefficients.
 * @param emit results whose auxiliary columns are read
 * @throws SoftjacError
 */
export async function sumRequest(
  command: "reduce" | "effects" | "calibrate",
  options: CommonOptions,
  emit: readonly ReductionName[],
  output: string,
  { readMatrix }: Pick<SumSource, "readMatrix"> = FILES,
): Promise<Omit<SumRequest, "plan">> {
  const { inputs, by = [], weight, features, threads } = options;
  const repeated = by.find((name, k) => by.indexOf(name) !== k);
  if (repeated !== undefined)
    throw new UsageError(`by: ${repeated} is given twice`, "by");
  const matrix =
    options.coefficients === undefined
      ? null
      : await readMatrix(options.coefficients);
  const coefficients =
    matrix &&
    new Coefficients(
      options.coefficients as string,
      matrix,
      baseOf(options.base),
    );
  const auxiliary = auxiliaryOf(emit)
    .filter((option) => options[option] !== undefined)
    .map((option) => ({ option, name: options[option] as string }));
  return {
    command,
    inputs,
    open: {
      ...(coefficients
        ? { features }
        : {
            column: options.column,
            columns: options.columns,
            classAxis: options.classAxis,
            binary: options.binary,
            pad: options.pad,
            nullLogit: options.nullLogit,
          }),
      allowMissingEos: options.allowMissingEos,
      classNames: options.classNames,
      inputs: [
        ...auxiliary,
        ...(weight === undefined
          ? []
          : [{ option: "weight" as const, name: weight }]),
        ...(features === undefined || coefficients
          ? []
          : [{ option: "features" as const, name: features }]),
        ...by.map((name) => ({
          option: "by" as const,
          name,
          vocabulary: new Map<string, number>(),
        })),
      ],
    },
    coefficients,
    intercept: options.intercept,
    onBadRow: options.onBadRow,
    threads: threads ?? availableParallelism(),
    threadsExplicit: threads !== undefined,
    chunkRows: options.chunkRows,
    maxSumsBytes: options.maxSumsBytes,
    output,
  };
}
