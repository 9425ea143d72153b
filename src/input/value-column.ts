import { describeField, type Field } from "../arrow/field.js";
import { InputUnsupportedError } from "../errors.js";
import type { AuxiliaryName } from "../results/catalogue.js";
import { valuesAllowed } from "../results/columns.js";
import type { Partition } from "../results/run-metadata.js";
import { indexOfName, namedColumns } from "./column-names.js";
import { isDecodableNumber, isText } from "./decoded-rows.js";
import {
  decodedColumn,
  decodedLists,
  listedNumbers,
  type NumberColumn,
  nestingOf,
  singleNumbers,
} from "./number-column.js";

/** A column of numbers beside the logits. */
export interface ValueColumn extends NumberColumn {
  option: AuxiliaryName;
  /** Partition whose value is that of all rows; null for a column of the file. */
  partition: Partition | null;
}

/**
 * Finds the column that an option names: numbers (label, class) or lists of floats.
 * @throws LogitsColumnError where there is not one of that name; InputUnsupportedError for another type
 */
export function selectValues(
  path: string,
  fields: Field[],
  option: AuxiliaryName,
  name: string,
  isNested = false,
): ValueColumn {
  const place = indexOfName(
    namedColumns(path, fields),
    `--${flagOf(option)} ${name}`,
    name,
    name.endsWith(".npy")
      ? "; a file of labels can only be used with files of arrays"
      : "",
  );
  const field = fields[place] as Field;
  const single = isClassOption(option);
  const column = isNested
    ? besideNested(field, place, single)
    : single
      ? (singleNumbers(field, place, "any") ??
        (isClassColumn(field) ? decodedColumn(name, [place], 1) : null))
      : (listedNumbers(field, place, "float") ?? floatViews(field, place));
  if (!column)
    throw new InputUnsupportedError(
      path,
      `column ${name}`,
      `expected ${single ? "class numbers, class names or one-hot rows" : "fixed_size_list or list of float32 or float64"} for --${flagOf(option)}, found ${describeField(field)}; ${adviceOn(option)}`,
    );
  return { ...column, option, partition: null };
}

/** Returns a column of list views of floats as decoded; null for other types. */
function floatViews(field: Field, place: number): NumberColumn | null {
  const { type, children } = field;
  const isFloat = children[0]?.type.kind === "FloatingPoint";
  return isFloat && type.kind.endsWith("ListView")
    ? decodedLists(field, place)
    : null;
}

/** Returns a column beside nested logits as decoded: one value per table row, or nested like the logits. */
function besideNested(
  field: Field,
  place: number,
  isClass: boolean,
): NumberColumn | null {
  const { name } = field;
  const nesting = nestingOf(field);
  const decoded = (row: Field) =>
    isClass
      ? isClassColumn(row) && decodedColumn(name, [place], 1)
      : decodedLists(row, place);
  const own = nesting && decoded(nesting.row);
  return own ? { ...own, name, nesting } : decoded(field) || null;
}

/** Whether a column can be turned into class numbers: numbers, strings, dictionaries, lists of one and one-hot rows. */
export function isClassColumn(field: Field): boolean {
  return (
    isDecodableNumber(field) || isText(field) || decodedLists(field, 0) !== null
  );
}

/** Checks how many values a row has, once the number of classes is known. @throws InputUnsupportedError */
export function checkValues(
  path: string,
  { option, name }: ValueColumn,
  values: number,
  classes: number,
): void {
  const allowed = valuesAllowed(option, classes);
  if (!allowed.includes(values))
    throw new InputUnsupportedError(
      path,
      `column ${name}`,
      `expected ${allowed.join(" or ")} values in a row of ${classes} classes, found ${values}; ${adviceOn(option)}`,
    );
}

/** Returns what to write for an option that names a column, as the end of a message. */
export function adviceOn(option: AuxiliaryName): string {
  if (isClassOption(option))
    return "write one class number from 0 for each row";
  return option === "covariance"
    ? "write the diagonal, the upper triangle or the whole matrix of each row"
    : "write one float per class for each row";
}

/** Whether an option names a column of class numbers. */
export function isClassOption(option: AuxiliaryName): boolean {
  return option === "label" || option === "classColumn";
}

/** Returns the name of an input option on the command line. */
export function flagOf(option: AuxiliaryName): string {
  return option === "classColumn" ? "class-column" : option;
}
