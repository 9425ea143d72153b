import {
  type ArrowType,
  describeField,
  type Field,
  FLOAT_BYTES,
  type NumberType,
} from "../arrow/field.js";
import { InputUnsupportedError, LogitsColumnError } from "../errors.js";
import type { InputName } from "../results/catalogue.js";
import { valuesAllowed } from "../results/columns.js";
import { listed } from "./logits-column.js";

/** A column of numbers beside the logits: one a row, or a list of them. */
export interface ValueColumn {
  option: InputName;
  name: string;
  form: "fixed-size-list" | "list" | "columns";
  columns: number[];
  type: NumberType;
  /** Bytes per value. */
  width: number;
  /** Values per row; null for lists: their length stands in the data. */
  values: number | null;
}

/**
 * The column that an option names: numbers (label, class) or lists of floats.
 * @throws LogitsColumnError where there is not one of that name; InputUnsupportedError for another type
 */
export function selectValues(
  path: string,
  fields: Field[],
  option: InputName,
  name: string,
): ValueColumn {
  const places = fields.flatMap((field, k) => (field.name === name ? [k] : []));
  if (places.length !== 1)
    throw new LogitsColumnError(
      path,
      `--${flagOf(option)} ${name}: expected one column of that name, found ${places.length === 0 ? listed(fields) : places.length}`,
    );
  const field = fields[places[0] as number] as Field;
  const single = option === "label" || option === "classColumn";
  const { type } = field;
  const list = type.kind === "FixedSizeList" || type.kind === "List";
  const stored = single ? field : list ? field.children[0] : undefined;
  const number =
    stored && !field.dictionary ? numberType(stored.type, single) : null;
  if (!number)
    throw new InputUnsupportedError(
      path,
      `column ${name}`,
      `expected ${single ? "whole numbers" : "fixed_size_list or list of float32 or float64"} for --${flagOf(option)}, found ${describeField(field)}`,
    );
  return {
    option,
    name,
    form: single
      ? "columns"
      : type.kind === "List"
        ? "list"
        : "fixed-size-list",
    columns: places,
    type: number,
    width: widthOf(number),
    values: single ? 1 : type.kind === "FixedSizeList" ? type.listSize : null,
  };
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
      `expected ${allowed.join(" or ")} values in a row of ${classes} classes, found ${values}`,
    );
}

/** The command line's name of an input option. */
export function flagOf(option: InputName): string {
  return option === "classColumn" ? "class-column" : option;
}

function numberType(type: ArrowType, whole: boolean): NumberType | null {
  if (type.kind === "FloatingPoint") {
    const bytes = FLOAT_BYTES[type.precision];
    return bytes === 4 ? "float32" : bytes === 8 ? "float64" : null;
  }
  if (!whole || type.kind !== "Int") return null;
  return `${type.signed ? "" : "u"}int${type.bitWidth}` as NumberType;
}

function widthOf(type: NumberType): number {
  return Number(/\d+/.exec(type)?.[0]) / 8;
}
