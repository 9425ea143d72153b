import { describeField, type Field, type FloatType } from "../arrow/field.js";
import { InputUnsupportedError, LogitsColumnError } from "../errors.js";
import { shortList, shortName } from "../printable.js";
import {
  type Candidate,
  chooseCandidate,
  nameHint,
  OMIT_BINARY,
  USE_BINARY,
} from "./candidates.js";
import {
  findListed,
  indexOfName,
  listColumns,
  type NamedColumns,
  namedColumns,
  orderedByNumber,
} from "./column-names.js";
import { isDecodableNumber, isSparkVector } from "./decoded-rows.js";
import type { LogitsSelection } from "./logits-file.js";
import {
  decodedColumn,
  decodedLists,
  type LogitsColumn,
  marginsColumn,
  type NumberColumn,
  nestedNumbers,
  rowNumbers,
  singleNumbers,
  tensorShapeOf,
} from "./number-column.js";

/**
 * Finds the logits: the named column, the columns that match a pattern, or the only column of floats in lists.
 * @throws LogitsColumnError if there is none or more than one; InputUnsupportedError for an unsupported type
 */
export function selectLogits(
  path: string,
  fields: Field[],
  selection: LogitsSelection,
): LogitsColumn {
  const { column, columns, classAxis, binary = false, features } = selection;
  if (features !== undefined) return selectFeatures(path, fields, features);
  const fail = (text: string) => new LogitsColumnError(path, text);
  if (classAxis !== undefined)
    throw fail(
      `--class-axis ${classAxis}: only arrays of .npy, .npz and safetensors files have axes; omit the option`,
    );
  if (columns !== undefined && binary)
    throw fail(
      `--columns ${columns}: --binary reads one column of margins; choose it with --column`,
    );
  if (columns !== undefined)
    return separateColumns(path, fields, columns, "class");
  const index =
    column === undefined
      ? onlyColumn(path, fields, binary)
      : indexOfName(namedColumns(path, fields), `--column ${column}`, column);
  const field = fields[index] as Field;
  if (!binary) return listColumn(path, field, index);
  const margins = marginsColumn(field, index);
  if (margins) return { ...margins, classNames: null, note: null };
  throw new InputUnsupportedError(
    path,
    `column ${field.name}`,
    `--binary: expected margins, one number per row, found ${describeField(field)}; ${OMIT_BINARY}`,
  );
}

/**
 * Finds features: a column of lists or structs of numbers, or columns of numbers.
 * @throws LogitsColumnError, InputUnsupportedError
 */
export function selectFeatures(
  path: string,
  fields: Field[],
  features: string,
): LogitsColumn {
  const index = fields.findIndex(({ name }) => name === features);
  const field = fields[index];
  if (field && !isDecodableNumber(field) && rowsOfNumbers(field, index))
    return listColumn(path, field, index, "feature");
  return separateColumns(path, fields, features, "feature");
}

/** Forms of logits that are found without --column, in order of preference. */
const FORMS = ["floats", "whole numbers"].flatMap((numbers) =>
  ["lists", "structs", "lists of lists"].map((form) => `${numbers} in ${form}`),
);

/** Forms of margins, in order of preference. */
const MARGIN_FORMS = [
  "floats",
  "floats in lists",
  "whole numbers",
  "whole numbers in lists",
];

function onlyColumn(path: string, fields: Field[], binary: boolean): number {
  const candidates = fields.map((field) => candidateOf(field, binary));
  const scalars = fields.filter(({ type }) => isFloatType(type));
  if (!binary && scalars.length > 1)
    candidates.push(separateCandidate(scalars));
  const found = listColumns(fields);
  return chooseCandidate(
    path,
    "column",
    candidates,
    binary ? MARGIN_FORMS : FORMS,
    binary
      ? `--binary: expected a column of one number per row, found ${found}; ${OMIT_BINARY}`
      : `expected a column of floats in lists, found ${found}; ${adviceOn(fields, scalars)}`,
  );
}

const WRITE_LISTS = "write the logits as lists of numbers";

/** Returns advice for a file in which no column is clearly the logits. */
function adviceOn(fields: Field[], scalars: Field[]): string {
  const names = fields.flatMap((field) => [
    ...(decodedLists(field, 0) ? [field.name] : []),
    ...readableFields(field),
  ]);
  const choose = chooseAdvice(names);
  if (choose) return choose;
  if (scalars.length === 1) return USE_BINARY;
  return fields.filter(isDecodableNumber).length > 1
    ? "choose one column per class with --columns"
    : WRITE_LISTS;
}

/** Returns the advice to choose one of these columns; empty if there are none. */
function chooseAdvice(names: readonly string[]): string {
  return names.length > 0
    ? `choose one with --column: ${shortList(names, shortName)}`
    : "";
}

/** Describes a column as rows of numbers; null for other types. */
function rowsOfNumbers(field: Field, index: number): NumberColumn | null {
  return nestedNumbers(field, index) ?? rowNumbers(field, index);
}

/** Returns the dotted names of fields of a struct that --column can choose. */
function readableFields({ name, type, children }: Field): string[] {
  if (type.kind !== "Struct") return [];
  return children.flatMap((child) => {
    const inner = readableFields(child);
    if (rowsOfNumbers(child, 0)) inner.unshift(child.name);
    return inner.map((innerName) => `${name}.${innerName}`);
  });
}

export function candidateOf(field: Field, binary: boolean): Candidate {
  const { name, type, children } = field;
  const isFloat = (binary || !isFloatType(type)) && hasFloats(field);
  const numbers = isFloat ? "floats" : "whole numbers";
  const common = { name, type: describeField(field), isFloat };
  if (binary) {
    const form = children.length > 0 ? `${numbers} in lists` : numbers;
    return marginsColumn(field, 0)
      ? { ...common, form, problem: COULD_BE }
      : { ...common, form: null, problem: "its rows are not single numbers" };
  }
  const column = rowsOfNumbers(field, 0);
  // Structs of several types are rarely logits, so only --column chooses them.
  const isMixed =
    column?.isDecoded && type.kind === "Struct" && !isSparkVector(field);
  if (!column || isMixed) {
    const problem = chooseAdvice(readableFields(field)) || columnProblem(field);
    return { ...common, form: null, problem };
  }
  const flat = column.storage === "struct" ? "structs" : "lists";
  const form = column.nesting?.isChild ? "lists of lists" : flat;
  return { ...common, form: `${numbers} in ${form}`, problem: COULD_BE };
}

const COULD_BE = "it could be logits, too";

/** Explains why a column is not chosen as the logits. */
function columnProblem(field: Field): string {
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

/** Describes several columns of one float per row as a single candidate, because they may be one column per class. */
function separateCandidate(fields: Field[]): Candidate {
  const named = fields.filter(({ name }) => nameHint(name) === "logits");
  const [first] = (named.length > 1 ? named : fields) as [Field];
  return {
    name: first.name,
    type: `${describeField(first)}, one of ${fields.length} columns`,
    form: null,
    isFloat: true,
    problem: "use --columns for one column per class",
  };
}

function isFloatType({ kind }: Field["type"]): boolean {
  return kind === "FloatingPoint" || kind === "Decimal";
}

function hasFloats({ type, children }: Field): boolean {
  return isFloatType(type) || children.some(hasFloats);
}

function listColumn(
  path: string,
  field: Field,
  index: number,
  each: "class" | "feature" = "class",
): LogitsColumn {
  const where = `column ${field.name}`;
  const { type } = field;
  if (type.kind === "FixedSizeList" && type.listSize < 1)
    throw new InputUnsupportedError(
      path,
      where,
      `expected at least 1 class, found lists of length ${type.listSize}; check the program that wrote them`,
    );
  rejectOtherTensors(path, where, field);
  const column = rowsOfNumbers(field, index);
  if (!column) {
    const advice = marginsColumn(field, index)
      ? USE_BINARY
      : chooseAdvice(readableFields(field)) || WRITE_LISTS;
    throw new InputUnsupportedError(
      path,
      where,
      `expected lists, or a struct, of numbers, found ${describeField(field)}; ${advice}`,
    );
  }
  if (type.kind !== "Struct" || isSparkVector(field))
    return { ...column, classNames: null, note: null };
  const classNames = field.children.map(({ name }) => name);
  rejectRepeated(path, `two fields of ${where}`, classNames);
  const byNumber = orderedByNumber(classNames, (name) => name);
  const k = byNumber.findIndex((name, n) => name !== classNames[n]);
  const note =
    k < 0
      ? null
      : `the ${each === "class" ? "classes" : "features"} are the fields of column ${shortName(field.name)} in their order, not by number: ${each} ${k} is ${shortName(classNames[k] as string)}`;
  return { ...column, classNames, note };
}

/** Rejects tensors that are permuted, that have more than three dimensions, or whose shape is invalid. */
function rejectOtherTensors(path: string, where: string, field: Field): void {
  const entries = new Map(field.metadata);
  if (entries.get("ARROW:extension:name") !== "arrow.fixed_shape_tensor")
    return;
  const shape = tensorShapeOf(field);
  if (!shape || shape.length > 3)
    throw new InputUnsupportedError(
      path,
      where,
      `expected a tensor of at most three dimensions without a permutation, of which the last is the classes, found ${entries.get("ARROW:extension:metadata") || "no shape"}; reshape it to (rows, classes)`,
    );
}

function separateColumns(
  path: string,
  fields: Field[],
  list: string,
  each: "class" | "feature",
): LogitsColumn {
  const flag = each === "class" ? "--columns" : "--features";
  const found = findListed(namedColumns(path, fields), list, flag);
  const indices = found.flatMap(({ indices }) => indices);
  rejectRepeated(
    path,
    `${flag} ${list}: two columns`,
    indices.map((index) => (fields[index] as Field).name),
  );
  const columns = indices.map((index) => {
    const field = fields[index] as Field;
    if (field.dictionary || !isDecodableNumber(field))
      throw new InputUnsupportedError(
        path,
        `column ${field.name}`,
        `expected numbers (it matches ${list}), found ${describeField(field)}; ${flag} takes one column of numbers per ${each}`,
      );
    return singleNumbers(field, index);
  });
  const values = indices.length;
  const [first] = columns as [NumberColumn];
  return {
    ...(first && columns.every((column) => column?.type === first.type)
      ? { ...first, name: list, columns: indices, values }
      : decodedColumn(list, indices, values, widest(columns))),
    classNames: indices.map((index) => (fields[index] as Field).name),
    note: orderNote(found, fields, each),
  };
}

/** Returns the result type for columns of several types: float32 if it holds them all and at least one is float32. */
function widest(columns: readonly (NumberColumn | null)[]): FloatType {
  const areShort = columns.every(
    (column) => column && /^(float16|float32|u?int(8|16))$/.test(column.type),
  );
  return areShort && columns.some((column) => column?.type === "float32")
    ? "float32"
    : "float64";
}

/** Returns a note about the first pattern whose columns are ordered differently in the file. */
function orderNote(
  found: NamedColumns[],
  fields: Field[],
  each: "class" | "feature",
): string | null {
  for (const { text, indices } of found) {
    const inFile = [...indices].sort((a, b) => a - b);
    const k = indices.findIndex((index, n) => index !== inFile[n]);
    const field = fields[indices[k] ?? -1];
    if (field)
      return `columns that match ${shortName(text)} are ordered by number, not by their position in the file: ${each} ${k} is ${shortName(field.name)}`;
  }
  return null;
}

function rejectRepeated(
  path: string,
  what: string,
  classNames: readonly string[],
): void {
  const seen = new Set<string>();
  for (const name of classNames) {
    if (seen.has(name))
      throw new LogitsColumnError(
        path,
        `${what} are named ${shortName(name)}; give each class a name of its own`,
      );
    seen.add(name);
  }
}
