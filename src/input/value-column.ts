import { describeField, type Field, integerOfDate } from "../arrow/field.js";
import { InputUnsupportedError } from "../errors.js";
import { type InputUse, valuesOf } from "../results/catalogue.js";
import { auxiliaryLengths } from "../results/columns.js";
import type { Partition } from "../results/run-metadata.js";
import { indexOfName, namedColumns } from "./column-names.js";
import { isDecodableNumber, isText } from "./decoded-rows.js";
import { selectFeatures } from "./logits-column.js";
import {
  decodedColumn,
  decodedLists,
  type NumberColumn,
  nestingOf,
  rowNumbers,
  singleNumbers,
} from "./number-column.js";

/** Column of numbers other than the logits. */
export interface ValueColumn extends NumberColumn {
  option: InputUse;
  /** Names of the columns or struct fields of features; null for lists. */
  names: readonly string[] | null;
  /** Field of a column whose values form groups; null for other columns. */
  field: Field | null;
  /** Partition whose value applies to all rows; null for a column of the file. */
  partition: Partition | null;
}

/**
 * Finds the column that an option names: numbers (label, class) or lists of numbers.
 * @throws LogitsColumnError unless exactly one column has that name; InputUnsupportedError for another type
 */
export function selectValues(
  path: string,
  fields: Field[],
  option: InputUse,
  name: string,
  isNested = false,
): ValueColumn {
  const none = { option, names: null, field: null, partition: null };
  if (option === "features" && !isNested) {
    const { classNames, ...column } = selectFeatures(path, fields, name);
    return { ...none, ...column, names: classNames };
  }
  const index = indexOfName(
    namedColumns(path, fields),
    `--${flagOf(option)} ${name}`,
    name,
    name.endsWith(".npy")
      ? "; a file of labels can only be used with files of arrays"
      : "",
  );
  const field = fields[index] as Field;
  if (option === "by") {
    const nesting = isNested ? nestingOf(field) : null;
    const row = nesting?.row ?? field;
    const column = keyColumn(path, row, index, name, isNested);
    return { ...none, ...column, ...(nesting && { nesting }), field: row };
  }
  const isClass = valuesOf(option) === "class" || option === "weight";
  const column = isNested
    ? besideNested(field, index, isClass)
    : isClass
      ? (singleNumbers(field, index) ??
        ((
          option === "weight"
            ? isDecodableNumber({ ...field, dictionary: null })
            : isClassColumn(field)
        )
          ? decodedColumn(name, [index], 1)
          : null))
      : rowNumbers(field, index);
  if (!column)
    throw new InputUnsupportedError(
      path,
      `column ${name}`,
      `expected ${option === "weight" ? "numbers" : isClass ? "class numbers, class names or one-hot rows" : "lists of numbers"} for --${flagOf(option)}, found ${describeField(field)}; ${adviceOn(option)}`,
    );
  return { ...column, ...none };
}

/**
 * Describes a column whose values form groups: numbers and dates in place, others decoded, as are all beside nested logits.
 * @throws InputUnsupportedError
 */
function keyColumn(
  path: string,
  field: Field,
  index: number,
  name: string,
  isNested: boolean,
): NumberColumn {
  const { type, dictionary } = field;
  const number = { ...field, type: integerOfDate(type) };
  const isNumber = ["Int", "FloatingPoint"].includes(number.type.kind);
  const column = dictionary || isNested ? null : singleNumbers(number, index);
  if (column && isNumber) return column;
  if (isText(field) || type.kind === "Bool" || isNumber)
    return decodedColumn(name, [index], 1);
  throw new InputUnsupportedError(
    path,
    `column ${name}`,
    `${describeField(field)} does not form groups; --by takes whole numbers, booleans, strings, dictionaries and dates; write other values as strings`,
  );
}

/** Describes a column beside nested logits as a decoded column: one value per table row, or nested like the logits. */
function besideNested(
  field: Field,
  index: number,
  isClass: boolean,
): NumberColumn | null {
  const { name } = field;
  const nesting = nestingOf(field);
  const decoded = (row: Field) =>
    isClass
      ? isClassColumn(row) && decodedColumn(name, [index], 1)
      : decodedLists(row, index);
  const nested = nesting && decoded(nesting.row);
  return nested ? { ...nested, name, nesting } : decoded(field) || null;
}

/** Whether a column can be decoded to class numbers: numbers, strings, dictionaries, lists of one and one-hot rows. */
export function isClassColumn(field: Field): boolean {
  return (
    isDecodableNumber(field) || isText(field) || decodedLists(field, 0) !== null
  );
}

/** Checks the number of values per row against the number of classes. @throws InputUnsupportedError */
export function checkValues(
  path: string,
  { option, name }: ValueColumn,
  values: number,
  classes: number,
): void {
  if (option === "features") return;
  const allowed = auxiliaryLengths(option, classes);
  if (!allowed.includes(values))
    throw new InputUnsupportedError(
      path,
      `column ${name}`,
      `expected ${allowed.join(" or ")} values in a row of ${classes} classes, found ${values}; ${adviceOn(option)}`,
    );
}

/** Returns advice on the column that an option needs, as the end of a message. */
export function adviceOn(option: InputUse): string {
  if (valuesOf(option) === "class")
    return "write one class number from 0 for each row";
  if (option === "weight") return "write one number from 0 for each row";
  if (option === "by") return "write one number for each row";
  return option === "covariance"
    ? "write the diagonal, the upper triangle or the whole matrix of each row"
    : "write one number per class for each row";
}

/** Returns the name of an option on the command line, without dashes. */
export function flagOf(option: InputUse): string {
  return option === "classColumn" ? "class-column" : option;
}
