import type { InputName } from "../results/catalogue.js";

/** Whether a row with these values of an input has results: all of them finite, and a class that there is. */
export function isUsableInput(
  option: InputName,
  classes: number,
  values: ArrayLike<number>,
): boolean {
  for (let n = 0; n < values.length; n++)
    if (!Number.isFinite(values[n])) return false;
  if (option !== "label" && option !== "classColumn") return true;
  const k = values[0] as number;
  return Number.isInteger(k) && k >= 0 && k < classes;
}
