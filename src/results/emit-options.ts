import { UsageError } from "../errors.js";
import {
  AUXILIARY_NAMES,
  type AuxiliaryName,
  type DroppedName,
  EMIT_NAMES,
  EMITS,
  type EmitName,
  isDropped,
  isEntriesLayout,
  isJacobian,
  type Layout,
} from "./catalogue.js";

/** Name of a result of a run. */
export type RunEmit = EmitName | DroppedName;

/** Options that select what a result needs beside the logits. */
export type AuxiliaryOptions = { class?: number | undefined } & {
  [option in AuxiliaryName]?: string | undefined;
} & {
  /** File of the covariance of coefficients, from which each row has a covariance of its logits. */
  covarianceFile?: string | undefined;
};

/** Returns the default results of a layout; each table row of coo is one entry. */
export function defaultEmit(layout: Layout): readonly RunEmit[] {
  return layout === "coo" ? ["jacobian"] : ["softmax", "jacobian"];
}

/** Returns the results without those about dropped entries. */
export function resultsOf(emit: readonly RunEmit[]): EmitName[] {
  return emit.filter((name): name is EmitName => !isDropped(name));
}

/** Checks that results, layout and auxiliary columns are consistent. @throws UsageError */
export function checkEmit(
  emit: readonly RunEmit[],
  layout: Layout,
  options: AuxiliaryOptions,
): void {
  checkNames(emit);
  checkLayout(emit, layout);
  checkAuxiliary(resultsOf(emit), options, EMIT_NAMES, inputOfResult);
}

/** @throws UsageError for no result, and for one that the metadata of a file repeats */
export function checkNames(emit: readonly string[]): void {
  if (emit.length === 0)
    throw new UsageError("emit: expected at least one result");
  if (new Set(emit).size < emit.length)
    throw new UsageError(`emit: a result is given twice in ${emit.join()}`);
}

function checkLayout(emit: readonly RunEmit[], layout: Layout): void {
  if (layout === "packed" && emit.includes("log_jacobian"))
    throw new UsageError(
      "layout: packed cannot store log_jacobian, which is not symmetric; use another layout",
    );
  const jacobians = emit.filter(isJacobian);
  if (layout !== "bsr" && jacobians.length === 0)
    throw new UsageError(
      `layout: ${layout} needs jacobian${layout === "packed" ? "" : " or log_jacobian"} in emit, found ${emit.join(", ")}`,
    );
  if (!isEntriesLayout(layout)) {
    const dropped = emit.find(isDropped);
    if (dropped)
      throw new UsageError(
        `emit: ${dropped} needs layout csr or coo, found ${layout}`,
      );
    return;
  }
  if (jacobians.length > 1)
    throw new UsageError(
      `emit: layout ${layout} stores only one of ${jacobians.join(" and ")}`,
    );
  const vector = resultsOf(emit).find(
    (name) => !isJacobian(name) && EMITS[name].shape !== "scalar",
  );
  if (layout === "coo" && vector)
    throw new UsageError(
      `emit: layout coo has one table row per entry and cannot store ${vector}, which has several values per row; use layout csr`,
    );
}

/** Returns the auxiliary input of a result, if it needs one. */
type InputOf<Name> = (name: Name) => AuxiliaryName | null;

export const inputOfResult: InputOf<EmitName> = (name) => EMITS[name].input;

/**
 * Checks that options name the columns that results need, and no others.
 * @param all names of all results of the command
 * @throws UsageError
 */
export function checkAuxiliary<Name extends string>(
  emit: readonly Name[],
  options: AuxiliaryOptions,
  all: readonly Name[],
  inputOf: InputOf<Name>,
): void {
  const needed = neededAuxiliary(emit, options, inputOf);
  const { covarianceFile } = options;
  if (covarianceFile !== undefined && !needed.includes("covariance"))
    throw new UsageError(
      `covarianceFile: only for --emit ${resultsUsing("covariance", all, inputOf)}, found ${emit.join(", ")}`,
    );
  for (const option of needed)
    if (columnOf(option, options) === undefined)
      throw new UsageError(
        option === "classColumn"
          ? "class, classColumn: column needs one of them"
          : `${option}: ${resultsUsing(option, emit, inputOf)} needs the name of a column${option === "covariance" && "covarianceFile" in options ? ", or with features the option covarianceFile" : ""}`,
      );
  for (const option of [...AUXILIARY_NAMES, "class" as const]) {
    const isUsed =
      option === "class"
        ? emit.some((name) => name === "column")
        : needed.includes(option);
    if (options[option] !== undefined && !isUsed)
      throw new UsageError(
        `${option}: only for --emit ${resultsUsing(option, all, inputOf)}, found ${emit.join(", ")}`,
      );
  }
}

/** Returns the auxiliary inputs of results, without repetition; none for the class of `column` if it is given. */
export function neededAuxiliary<Name extends string>(
  emit: readonly Name[],
  options: AuxiliaryOptions,
  inputOf: InputOf<Name>,
): AuxiliaryName[] {
  const needed = emit.flatMap((name) =>
    name === "column" && options.class !== undefined
      ? []
      : (inputOf(name) ?? []),
  );
  return [...new Set(needed)];
}

/** Returns the column of an option, or the file that takes its place. */
function columnOf(
  option: AuxiliaryName,
  options: AuxiliaryOptions,
): string | undefined {
  return option === "covariance"
    ? (options.covariance ?? options.covarianceFile)
    : options[option];
}

export function resultsUsing<Name extends string>(
  option: AuxiliaryName | "class",
  among: readonly Name[],
  inputOf: InputOf<Name>,
): string {
  const input = option === "class" ? "classColumn" : option;
  return among.filter((name) => inputOf(name) === input).join(", ");
}

/** Returns the columns that the results need beside the logits. */
export function auxiliaryColumns(
  emit: readonly RunEmit[],
  options: AuxiliaryOptions,
): { option: AuxiliaryName; name: string }[] {
  const needed = neededAuxiliary(resultsOf(emit), options, inputOfResult);
  return needed.map((option) => ({
    option,
    name: columnOf(option, options) as string,
  }));
}
