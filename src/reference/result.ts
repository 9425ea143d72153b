import { UsageError } from "../errors.js";
import { EMITS, type InputUse } from "../results/catalogue.js";
import { auxiliaryLengths } from "../results/columns.js";
import type { ReferenceRow } from "./row.js";
import { type ReferenceValues, referenceValues } from "./scaled.js";
import { type ReferenceName, STORES } from "./stores.js";

export type { ReferenceName };

/**
 * Computes one result of a row to about 29 digits. docs/results.md has the formulas, shapes and scales of errors.
 *
 * @param input cotangent or tangent `[classes]`, label or class `[1]`, or a covariance of Q, Q(Q+1)/2 or Q·Q values
 * @param out values to overwrite; default: new ones
 * @returns null for an input that makes a bad row: a value that is not finite, or a number that is not a class
 * @throws UsageError if a required input is missing or has another length
 */
export function referenceResult(
  name: ReferenceName,
  row: ReferenceRow,
  input: ArrayLike<number> = [],
  out: ReferenceValues = referenceValues(valuesOf(name, row.classes)),
): ReferenceValues | null {
  const { classes } = row;
  const option = name === "packed" ? null : EMITS[name].input;
  if (option !== null) {
    const lengths = auxiliaryLengths(option, classes);
    if (!lengths.includes(input.length))
      throw new UsageError(
        `${option}: expected ${lengths.join(" or ")} values for ${name} of ${classes} classes, found ${input.length}`,
        option,
      );
    if (!isUsableInput(option, classes, input)) return null;
  }
  STORES[name](row, out, input);
  return out;
}

/** Returns the number of values of a result for a row. */
export function valuesOf(name: ReferenceName, classes: number): number {
  if (name === "packed") return (classes * (classes + 1)) / 2;
  const { shape } = EMITS[name];
  return { scalar: 1, vector: classes, block: classes * classes }[shape];
}

/** Returns whether all values are finite and, for a class, whether it is one of 0 to Q − 1. */
export function isUsableInput(
  option: InputUse,
  classes: number,
  values: ArrayLike<number>,
): boolean {
  for (let n = 0; n < values.length; n++)
    if (!Number.isFinite(values[n])) return false;
  if (option !== "label" && option !== "classColumn") return true;
  const k = values[0] as number;
  return Number.isInteger(k) && k >= 0 && k < classes;
}
