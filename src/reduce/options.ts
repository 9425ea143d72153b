import { availableParallelism } from "node:os";
import { UsageError } from "../errors.js";
import {
  baseOf,
  Coefficients,
  type Matrix,
  readMatrix,
} from "../model/coefficients.js";
import { resolve } from "../options/check-options.js";
import type { RunHooks } from "../options/hooks.js";
import type { OptionsOf, Resolved } from "../options/options-table.js";
import { checkModel, withBase } from "../options/run-options.js";
import { neededAuxiliary } from "../results/emit-options.js";
import { inputOfReduction, type ReductionName } from "../results/reductions.js";
import { type RowSums, type SumRequest, sumInputs } from "./sum-inputs.js";

/** Options that `effects` does not have, or only under the same name: its `covariance` is not a column. */
type ReduceOnly =
  | Exclude<keyof OptionsOf<"reduce">, keyof OptionsOf<"effects">>
  | ("covariance" | "output");

/** Options of `reduce` and `effects` that select the rows and their features. */
export type RowOptions = Omit<OptionsOf<"reduce">, ReduceOnly>;

/** Options of `reduce`. Only `inputs` and `output` are required. */
export interface ReduceOptions extends OptionsOf<"reduce"> {}

export type ResolvedReduceOptions = Resolved<"reduce">;

/** Checks options and fills in defaults. @throws UsageError */
export function resolveReduceOptions(
  given: ReduceOptions,
): ResolvedReduceOptions {
  const options = resolve("reduce", withBase(given));
  if (options.coefficients !== undefined) checkModel(options);
  return options;
}

/** Options of `reduce`, `effects` and `calibrate` that select rows; only `inputs` is required. */
type SelectedRows = Pick<ReduceOptions, "inputs"> &
  Omit<Partial<ReduceOptions>, "emit" | "output">;

/** Rejects a column of groups whose name a column of the output has. @throws UsageError */
export function rejectTakenNames(
  by: readonly string[] = [],
  taken: readonly string[],
): void {
  const name = by.find((name) => taken.includes(name));
  if (name === undefined) return;
  throw new UsageError(
    `by: the output has a column ${name} of its own; rename the column ${name} of the input`,
    "by",
  );
}

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
  options: SelectedRows,
  emit: readonly ReductionName[],
  output: string,
  { readMatrix }: Pick<SumSource, "readMatrix"> = FILES,
): Promise<Omit<SumRequest, "plan">> {
  const { inputs, by = [], weight, features } = options;
  const coefficients =
    options.coefficients === undefined
      ? null
      : new Coefficients(
          options.coefficients,
          await readMatrix(options.coefficients),
          baseOf(options.base ?? "0"),
        );
  const threads = options.threads ?? availableParallelism();
  const needed = neededAuxiliary(emit, options, inputOfReduction);
  const columns = [
    ...needed.map((option) => ({ option, name: options[option] })),
    { option: "weight" as const, name: weight },
    { option: "features" as const, name: coefficients ? undefined : features },
  ];
  return {
    ...{ command, inputs, output, coefficients, threads },
    open: {
      ...options,
      threads,
      features: coefficients ? features : undefined,
      inputs: [
        ...columns.flatMap(({ option, name }) =>
          name === undefined ? [] : [{ option, name }],
        ),
        ...by.map((name) => {
          const vocabulary = new Map<string, number>();
          return { option: "by" as const, name, vocabulary };
        }),
      ],
    },
    intercept: options.intercept ?? false,
    onBadRow: options.onBadRow ?? "error",
    threadsExplicit: options.threads !== undefined,
    chunkRows: options.chunkRows,
    maxSumsBytes: options.maxSumsBytes ?? Number.MAX_SAFE_INTEGER,
  };
}
