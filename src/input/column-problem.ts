import type { Field } from "../arrow/field.js";
import { shortName } from "../printable.js";
import { isDecodableNumber } from "./decoded-rows.js";

/** Returns why a column whose rows are not lists or structs of numbers of one type cannot be the logits. */
export function columnProblem(field: Field): string {
  const { type, children } = field;
  if (isDecodableNumber(field))
    return "it has one number per row: --columns takes one column per class";
  if (type.kind === "Struct") {
    const other = children.find((child) => !isDecodableNumber(child));
    return other
      ? `its field ${shortName(other.name)} is not a number`
      : "its fields have several types: choose it with --column";
  }
  return type.kind.endsWith("List") || type.kind.endsWith("ListView")
    ? "its rows are not lists of numbers"
    : "it does not hold numbers";
}
