import {
  type ArrowType,
  describeField,
  type Field,
  FLOAT_BYTES,
} from "../arrow/field.js";
import { InputUnsupportedError, LogitsColumnError } from "../errors.js";

export type FloatType = "float32" | "float64";

/** Which columns of a file hold the logits, and in what form. */
export interface LogitsColumn {
  /** One column of fixed-size lists, one of lists, or `classes` separate columns. */
  form: "fixed-size-list" | "list" | "columns";
  /** Places of the columns among the file's: one, or `classes` of them. */
  columns: number[];
  /** Name for messages. */
  name: string;
  dtype: FloatType;
  /** null for lists: their length stands in the data. */
  classes: number | null;
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

function onlyListColumn(path: string, fields: Field[]): number {
  const places = placesWhere(
    fields,
    ({ type, children }) =>
      /List/.test(type.kind) && children[0]?.type.kind === "FloatingPoint",
  );
  if (places.length === 1) return places[0] as number;
  if (places.length > 1) {
    const names = places.map((k) => (fields[k] as Field).name).join(" and ");
    throw new LogitsColumnError(
      path,
      `expected one column of floats in lists, found ${names}: choose with --column`,
    );
  }
  throw new LogitsColumnError(
    path,
    `expected a column of floats in lists, found ${listed(fields)}: name it with --column, or separate columns with --columns`,
  );
}

function listColumn(path: string, field: Field, place: number): LogitsColumn {
  const where = `column ${field.name}`;
  const found = `expected fixed_size_list or list of float32 or float64, found ${describeField(field)}`;
  const { type } = field;
  const child = field.children[0];
  const dtype = child && !field.dictionary ? floatType(child) : null;
  if (!dtype || (type.kind !== "FixedSizeList" && type.kind !== "List"))
    throw new InputUnsupportedError(path, where, found);
  if (type.kind === "FixedSizeList" && type.listSize < 1)
    throw new InputUnsupportedError(
      path,
      where,
      `expected at least 1 class, found lists of ${type.listSize}`,
    );
  return {
    form: type.kind === "List" ? "list" : "fixed-size-list",
    columns: [place],
    name: field.name,
    dtype,
    classes: type.kind === "FixedSizeList" ? type.listSize : null,
  };
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
  const dtypes = places.map((place) => {
    const field = fields[place] as Field;
    const dtype = field.dictionary ? null : floatType(field);
    if (!dtype)
      throw new InputUnsupportedError(
        path,
        `column ${field.name}`,
        `expected float32 or float64 (it matches ${pattern}), found ${describeField(field)}`,
      );
    return dtype;
  });
  const dtype = dtypes[0] as FloatType;
  const other = dtypes.findIndex((d) => d !== dtype);
  if (other >= 0)
    throw new InputUnsupportedError(
      path,
      `column ${(fields[places[other] as number] as Field).name}`,
      `expected ${dtype} as in the first column that matches ${pattern}, found ${dtypes[other]}`,
    );
  return {
    form: "columns",
    columns: places,
    name: pattern,
    dtype,
    classes: places.length,
  };
}

function floatType({ type }: { type: ArrowType }): FloatType | null {
  if (type.kind !== "FloatingPoint") return null;
  const bytes = FLOAT_BYTES[type.precision];
  return bytes === 4 ? "float32" : bytes === 8 ? "float64" : null;
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
