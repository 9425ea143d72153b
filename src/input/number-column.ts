import type { ColumnStorage } from "../arrow/column-storage.js";
import {
  type ArrowType,
  type Field,
  type FloatType,
  type NumberType,
  numberTypeOf,
  numberWidth,
} from "../arrow/field.js";
import { isDecodableNumber, isSparkVector } from "./decoded-rows.js";

/** Type of the results of logits of a type, unless another is asked for: float32 for what it holds. */
export function resultType(type: NumberType): FloatType {
  return /^(b?float16|float32)$/.test(type) ? "float32" : "float64";
}

/** A column of numbers: one a table row, or a list of them. */
export interface NumberColumn {
  name: string;
  form: ColumnStorage;
  /** Its place among the file's columns. */
  columns: number[];
  type: NumberType;
  /** Bytes per value. */
  width: number;
  /** Values per row; null for lists: their length stands in the data. */
  values: number | null;
  /** Whether the numbers are decoded to a temporary file, where they have this form and type. */
  isDecoded: boolean;
  /** Nesting of its rows in table rows; absent if each table row is one row. */
  nesting?: Nesting;
}

/** What numbers may be: whole ones, floats, or both. */
export type NumberKind = "whole" | "float" | "any";

/** The column at a place among the file's as one number a row; null where it is of another type. */
export function singleNumbers(
  field: Field,
  place: number,
  kind: NumberKind,
): NumberColumn | null {
  return describe(field, place, field, kind, "columns", 1);
}

const LISTS: Partial<Record<ArrowType["kind"], ColumnStorage>> = {
  List: "list",
  LargeList: "large-list",
};

/** The same for lists of numbers, of any form, and structs of numbers of one type. */
export function listedNumbers(
  field: Field,
  place: number,
  kind: NumberKind,
): NumberColumn | null {
  const { type, children } = field;
  const [child] = children;
  const whole = (form: ColumnStorage, values: number | null) =>
    describe(field, place, child, kind, form, values);
  if (type.kind === "FixedSizeList")
    return type.listSize < 0 ? null : whole("fixed-size-list", type.listSize);
  if (type.kind === "Struct") {
    const same = children.every(
      (other) =>
        !other.dictionary &&
        JSON.stringify(other.type) === JSON.stringify(child?.type),
    );
    return same ? whole("struct", children.length) : null;
  }
  const form = LISTS[type.kind];
  return form ? whole(form, null) : null;
}

function describe(
  { name, dictionary }: Field,
  place: number,
  stored: Field | undefined,
  kind: NumberKind,
  form: ColumnStorage,
  values: number | null,
): NumberColumn | null {
  if (!stored || dictionary || stored.dictionary) return null;
  const type = numberTypeOf(stored.type);
  const other = { whole: "FloatingPoint", float: "Int", any: "" }[kind];
  if (!type || stored.type.kind === other) return null;
  const columns = [place];
  const width = numberWidth(type);
  return { name, form, columns, type, width, values, isDecoded: false };
}

/** The columns at these places as rows of decoded numbers. */
export function decodedColumn(
  name: string,
  columns: number[],
  values: number | null,
  type: FloatType = "float64",
): NumberColumn {
  const [form, width] = ["fixed-size-list" as const, numberWidth(type)];
  return { name, form, columns, type, width, values, isDecoded: true };
}

/**
 * The same for a column of lists or structs that are decoded first: of decimals, of numbers of several types, and of
 * vectors of Spark, and list views; null where it is of another type.
 */
export function decodedLists(field: Field, place: number): NumberColumn | null {
  const { name, type, children } = field;
  if (isSparkVector(field)) return decodedColumn(name, [place], null);
  const numbers = type.kind === "Struct" ? children : children.map(itemNumber);
  if (field.dictionary || !numbers.every(isDecodableNumber)) return null;
  const dtype = numbers.every(isShortFloat) ? "float32" : "float64";
  if (type.kind === "Struct" && children.length > 0)
    return decodedColumn(name, [place], children.length, dtype);
  if (type.kind === "FixedSizeList" && type.listSize > 0)
    return decodedColumn(name, [place], type.listSize, dtype);
  return /^(Large)?List(View)?$/.test(type.kind)
    ? decodedColumn(name, [place], null, dtype)
    : null;
}

/** A column of margins, one number per row alone or in a list, as the logits (0, z); null if it cannot be one. */
export function marginsColumn(
  field: Field,
  place: number,
): NumberColumn | null {
  const { name, type, dictionary, children } = field;
  const isList = ["List", "LargeList", "FixedSizeList"].includes(type.kind);
  const list = isList ? decodedLists(field, place) : null;
  const [number] = list ? children : [field];
  // Lists whose lengths only the data has are checked where they are decoded.
  const isSingle = (list?.values ?? 1) === 1 && !dictionary;
  if (!number || !isSingle || number.type.kind === "Bool") return null;
  if (!isDecodableNumber(number)) return null;
  const stored = singleNumbers(number, place, "any");
  const dtype = stored ? resultType(stored.type) : "float64";
  return decodedColumn(name, [place], 2, dtype);
}

/** Returns the number in an item of a list: some writers make it a struct of one field. */
function itemNumber(item: Field): Field {
  const [only, ...others] = item.children;
  const isOne = item.type.kind === "Struct" && others.length === 0;
  return only && isOne && !item.dictionary ? only : item;
}

/** Whether float32 holds the numbers of a field. */
function isShortFloat({ type }: Field): boolean {
  return type.kind === "FloatingPoint" && type.precision < 2;
}

/** The same column with lists that are decoded, so that they may have different lengths. */
export function paddedColumn<Column extends NumberColumn>(
  column: Column,
): Column {
  const { name, columns, form, type, isDecoded } = column;
  if (isDecoded || (form !== "list" && form !== "large-list")) return column;
  return {
    ...column,
    ...decodedColumn(name, columns, null, resultType(type)),
  };
}

/** The column at a place as rows of numbers that are nested in its table rows; null where it is of another type. */
export function nestedNumbers(
  field: Field,
  place: number,
): NumberColumn | null {
  const nesting = nestingOf(field);
  if (!nesting || nesting.row.type.kind === "Struct") return null;
  const { row } = nesting;
  const column = listedNumbers(row, place, "any") ?? decodedLists(row, place);
  return column && column.values !== 0
    ? { ...column, name: field.name, nesting }
    : null;
}

/** The columns of a file that hold the logits, and their form; `values` are the classes, null where the data has them. */
export interface LogitsColumn extends NumberColumn {
  /** Names of the classes, where they are columns or fields of a struct. */
  classNames: string[] | null;
  /** What the user should know of the order of the classes. */
  note: string | null;
}

/** Nesting of rows of numbers in the values of a column. */
export interface Nesting {
  /** Field of the rows. */
  row: Field;
  /** Whether the rows are the column's child; else its values are cut into rows. */
  isChild: boolean;
  /** Lengths of the axes of rows in a table row; null: lists of any length. */
  axes: readonly number[] | null;
}

/** Returns how the values of lists and tensors are rows; null for other columns, and for tensors of one dimension. */
export function nestingOf(field: Field): Nesting | null {
  const { type, children, dictionary } = field;
  const [child] = children;
  if (!child || dictionary) return null;
  const shape = tensorShapeOf(field);
  if (shape && type.kind === "FixedSizeList") {
    const listSize = shape.at(-1) as number;
    const row = { ...field, type: { ...type, listSize }, metadata: [] };
    const axes = shape.slice(0, -1);
    return axes.length > 0 ? { row, isChild: false, axes } : null;
  }
  if (type.kind === "FixedSizeList" && type.listSize > 0)
    return { row: child, isChild: true, axes: [type.listSize] };
  return type.kind === "List" || type.kind === "LargeList"
    ? { row: child, isChild: true, axes: null }
    : null;
}

/** The shape of an arrow.fixed_shape_tensor whose values are in the order of its dimensions; null for other columns. */
export function tensorShapeOf({ type, metadata }: Field): number[] | null {
  const found = new Map(metadata);
  if (found.get("ARROW:extension:name") !== "arrow.fixed_shape_tensor")
    return null;
  let tensor: { shape?: unknown; permutation?: unknown } = {};
  try {
    tensor = JSON.parse(found.get("ARROW:extension:metadata") ?? "") ?? {};
  } catch {}
  const { shape, permutation } = tensor;
  const isShape =
    Array.isArray(shape) &&
    type.kind === "FixedSizeList" &&
    shape.every((length) => Number.isSafeInteger(length) && length > 0) &&
    productOf(shape) === type.listSize;
  const isPermuted =
    Array.isArray(permutation) && permutation.some((axis, k) => axis !== k);
  return isShape && !isPermuted ? shape : null;
}

export function productOf(lengths: readonly number[]): number {
  return lengths.reduce((product, length) => product * length, 1);
}
