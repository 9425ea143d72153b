import { describeField, type Field, type NumberType } from "../arrow/field.js";
import { InputUnsupportedError, LogitsColumnError } from "../errors.js";
import {
  listedNumbers,
  type NumberColumn,
  singleNumbers,
} from "./number-column.js";

export type FloatType = "float32" | "float64";

/** The columns of a file that hold the logits, and their form; `values` are the classes, null where the data has them. */
export interface LogitsColumn extends NumberColumn {
  /** Names of the classes, where they are columns or fields of a struct. */
  classNames: string[] | null;
}

/** Type of the results of logits of a type, unless another is asked for: float32 for what it holds. */
export function resultType(type: NumberType): FloatType {
  return /^(b?float16|float32)$/.test(type) ? "float32" : "float64";
}

export interface LogitsSelection {
  column?: string | undefined;
  columns?: string | undefined;
}

/**
 * Finds the logits: the named column, the columns that match a pattern, or the only column of floats in lists.
 * @throws LogitsColumnError where there is none or more than one; InputUnsupportedError for a form we do not read.
 */
export function selectLogits(
  path: string,
  fields: Field[],
  selection: LogitsSelection,
): LogitsColumn {
  if (selection.columns !== undefined)
    return separateColumns(path, fields, selection.columns);
  const place =
    selection.column === undefined
      ? onlyListColumn(path, fields)
      : namedColumn(path, fields, selection.column);
  return listColumn(path, fields[place] as Field, place);
}

function namedColumn(path: string, fields: Field[], name: string): number {
  const places = placesWhere(fields, (field) => field.name === name);
  if (places.length === 1) return places[0] as number;
  throw new LogitsColumnError(
    path,
    `expected one column ${name}, found ${places.length === 0 ? listed(fields) : `${places.length} of that name`}`,
  );
}

/** What is taken for logits unless one is named: the first of these kinds that the file has, which must be one column. */
const SOUGHT = [
  { kind: "float", struct: false, what: "floats in lists" },
  { kind: "float", struct: true, what: "floats in structs" },
  { kind: "whole", struct: false, what: "whole numbers in lists" },
  { kind: "whole", struct: true, what: "whole numbers in structs" },
] as const;

function onlyListColumn(path: string, fields: Field[]): number {
  for (const { kind, struct, what } of SOUGHT) {
    const places = placesWhere(fields, (field) => {
      const column = listedNumbers(field, 0, kind);
      return column !== null && (column.form === "struct") === struct;
    });
    if (places.length === 1) return places[0] as number;
    if (places.length === 0) continue;
    const names = places.map((k) => (fields[k] as Field).name).join(" and ");
    throw new LogitsColumnError(
      path,
      `expected one column of ${what}, found ${names}: choose with --column`,
    );
  }
  throw new LogitsColumnError(
    path,
    `expected a column of floats in lists, found ${listed(fields)}: name it with --column, or separate columns with --columns`,
  );
}

function listColumn(path: string, field: Field, place: number): LogitsColumn {
  const where = `column ${field.name}`;
  const { type } = field;
  if (type.kind === "FixedSizeList" && type.listSize < 1)
    throw new InputUnsupportedError(
      path,
      where,
      `expected at least 1 class, found lists of ${type.listSize}`,
    );
  const column = listedNumbers(field, place, "any");
  if (!column)
    throw new InputUnsupportedError(
      path,
      where,
      `expected lists, or a struct, of numbers of one type, found ${describeField(field)}`,
    );
  refuseOtherTensors(path, where, field);
  const classNames =
    column.form === "struct" ? field.children.map(({ name }) => name) : null;
  return { ...column, classNames };
}

/** A fixed_shape_tensor of logits has one dimension: in another its numbers stand otherwise than in order of classes. */
function refuseOtherTensors(path: string, where: string, field: Field): void {
  const found = new Map(field.metadata);
  if (found.get("ARROW:extension:name") !== "arrow.fixed_shape_tensor") return;
  const text = found.get("ARROW:extension:metadata") ?? "";
  let shape: unknown;
  try {
    ({ shape } = JSON.parse(text));
  } catch {}
  if (!Array.isArray(shape) || shape.length !== 1)
    throw new InputUnsupportedError(
      path,
      where,
      `expected a tensor of one dimension, the classes, found ${text || "no shape"}`,
    );
}

function separateColumns(
  path: string,
  fields: Field[],
  pattern: string,
): LogitsColumn {
  const matches = globMatcher(pattern);
  const places = placesWhere(fields, (field) => matches(field.name));
  if (places.length === 0)
    throw new LogitsColumnError(
      path,
      `expected columns that match ${pattern}, found ${listed(fields)}`,
    );
  const columns = places.map((place) => {
    const field = fields[place] as Field;
    const column = singleNumbers(field, place, "any");
    if (!column)
      throw new InputUnsupportedError(
        path,
        `column ${field.name}`,
        `expected numbers (it matches ${pattern}), found ${describeField(field)}`,
      );
    return column;
  });
  const [first] = columns as [NumberColumn];
  const other = columns.find(({ type }) => type !== first.type);
  if (other)
    throw new InputUnsupportedError(
      path,
      `column ${other.name}`,
      `expected ${first.type} as in the first column that matches ${pattern}, found ${other.type}`,
    );
  return {
    ...first,
    name: pattern,
    columns: places,
    values: places.length,
    classNames: columns.map(({ name }) => name),
  };
}

/** `*` is any run of characters, `?` any one; the whole name must match. */
function globMatcher(pattern: string): (name: string) => boolean {
  const source = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  const expression = new RegExp(
    `^${source.replace(/\*/g, ".*").replace(/\?/g, ".")}$`,
    "su",
  );
  return (name) => expression.test(name);
}

function placesWhere(fields: Field[], is: (field: Field) => boolean): number[] {
  return fields.flatMap((field, k) => (is(field) ? [k] : []));
}

/** The columns of a file, for messages: the first few, with their types. */
export function listed(fields: Field[]): string {
  const shown = fields
    .slice(0, 8)
    .map((field) => `${field.name}: ${describeField(field)}`);
  const more = fields.length - shown.length;
  if (more > 0) shown.push(`${more} more`);
  return shown.length ? shown.join(", ") : "no columns";
}
