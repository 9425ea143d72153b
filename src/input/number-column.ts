import type { ColumnStorage } from "../arrow/column-storage.js";
import {
  type Field,
  type FloatType,
  type NumberType,
  numberTypeOf,
  numberWidth,
} from "../arrow/field.js";
import { isDecodableNumber, isSparkVector } from "./decoded-rows.js";

/** Returns the default result type for logits of a type: float32 for floats of up to 32 bits, else float64. */
export function resultType(type: NumberType): FloatType {
  return /^(b?float16|float32)$/.test(type) ? "float32" : "float64";
}

/** Column of numbers: one per table row, or a list of them. */
export interface NumberColumn {
  name: string;
  storage: ColumnStorage;
  /** Indices of its columns in the file. */
  columns: number[];
  type: NumberType;
  /** Bytes per value. */
  width: number;
  /** Values per row; null for lists, whose lengths only the data states. */
  values: number | null;
  /** Whether the numbers are first decoded to a temporary file, with this storage and type. */
  isDecoded: boolean;
  /** Nesting of its rows in the table rows; absent if each table row is one row. */
  nesting?: Nesting;
}

/** Describes the column at `index` as one number per row; null for other types. */
export function singleNumbers(
  field: Field,
  index: number,
): NumberColumn | null {
  return describe(field, index, field, "columns", 1);
}

/** Describes lists of numbers, or a struct of numbers of one type; null for other types. */
export function listedNumbers(
  field: Field,
  index: number,
): NumberColumn | null {
  const { type, children } = field;
  const [child] = children;
  const ofChild = (storage: ColumnStorage, values: number | null) =>
    describe(field, index, child, storage, values);
  if (type.kind === "FixedSizeList")
    return type.listSize < 0 ? null : ofChild("fixed-size-list", type.listSize);
  if (type.kind === "Struct") {
    const same = children.every(
      (other) =>
        !other.dictionary &&
        JSON.stringify(other.type) === JSON.stringify(child?.type),
    );
    return same ? ofChild("struct", children.length) : null;
  }
  if (type.kind === "List") return ofChild("list", null);
  return type.kind === "LargeList" ? ofChild("large-list", null) : null;
}

function describe(
  { name, dictionary }: Field,
  index: number,
  stored: Field | undefined,
  storage: ColumnStorage,
  values: number | null,
): NumberColumn | null {
  if (!stored || dictionary || stored.dictionary) return null;
  const type = numberTypeOf(stored.type);
  if (!type) return null;
  const columns = [index];
  const width = numberWidth(type);
  return { name, storage, columns, type, width, values, isDecoded: false };
}

/** Describes columns as rows of numbers that are decoded first. */
export function decodedColumn(
  name: string,
  columns: number[],
  values: number | null,
  type: FloatType = "float64",
): NumberColumn {
  const [storage, width] = ["fixed-size-list" as const, numberWidth(type)];
  return { name, storage, columns, type, width, values, isDecoded: true };
}

/**
 * Describes lists or structs that are decoded first: decimals, numbers of several types, Spark vectors and list views; null
 * for other types.
 */
export function decodedLists(field: Field, index: number): NumberColumn | null {
  const { name, type, children } = field;
  if (isSparkVector(field)) return decodedColumn(name, [index], null);
  const numbers = type.kind === "Struct" ? children : children.map(itemNumber);
  if (field.dictionary || !numbers.every(isDecodableNumber)) return null;
  const dtype = numbers.every(isShortFloat) ? "float32" : "float64";
  if (type.kind === "Struct" && children.length > 0)
    return decodedColumn(name, [index], children.length, dtype);
  if (type.kind === "FixedSizeList" && type.listSize > 0)
    return decodedColumn(name, [index], type.listSize, dtype);
  return /^(Large)?List(View)?$/.test(type.kind)
    ? decodedColumn(name, [index], null, dtype)
    : null;
}

/** Describes rows of numbers, which are decoded first if they cannot be read in place; null for other types. */
export function rowNumbers(field: Field, index: number): NumberColumn | null {
  return listedNumbers(field, index) ?? decodedLists(field, index);
}

/** Describes margins z, one number per row alone or in a list, as the logits (0, z); null for other types. */
export function marginsColumn(
  field: Field,
  index: number,
): NumberColumn | null {
  const { name, type, dictionary, children } = field;
  const isList = ["List", "LargeList", "FixedSizeList"].includes(type.kind);
  const list = isList ? decodedLists(field, index) : null;
  const [number] = list ? children : [field];
  // Lists whose lengths only the data states are checked when they are decoded.
  const isSingle = (list?.values ?? 1) === 1 && !dictionary;
  if (!number || !isSingle || number.type.kind === "Bool") return null;
  if (!isDecodableNumber(number)) return null;
  const stored = singleNumbers(number, index);
  const dtype = stored ? resultType(stored.type) : "float64";
  return decodedColumn(name, [index], 2, dtype);
}

/** Returns the item of a list, or its only field: some writers make items structs of one field. */
function itemNumber(item: Field): Field {
  const [only, ...others] = item.children;
  const isOne = item.type.kind === "Struct" && others.length === 0;
  return only && isOne && !item.dictionary ? only : item;
}

function isShortFloat({ type }: Field): boolean {
  return type.kind === "FloatingPoint" && type.precision < 2;
}

/** Returns a column whose numbers are decoded first. */
export function asDecoded<Column extends NumberColumn>(column: Column): Column {
  const { name, columns, values, type, isDecoded } = column;
  if (isDecoded) return column;
  const decoded = decodedColumn(name, columns, values, resultType(type));
  return { ...column, ...decoded };
}

/** Describes the column at `index` as rows of numbers nested in its table rows; null for other types. */
export function nestedNumbers(
  field: Field,
  index: number,
): NumberColumn | null {
  const nesting = nestingOf(field);
  if (!nesting || nesting.row.type.kind === "Struct") return null;
  const { row } = nesting;
  const column = rowNumbers(row, index);
  return column && column.values !== 0
    ? { ...column, name: field.name, nesting }
    : null;
}

/** Columns that hold the logits; `values` is the number of classes, null if only the data states it. */
export interface LogitsColumn extends NumberColumn {
  /** Names of the columns or struct fields that are the classes; null for lists. */
  classNames: string[] | null;
  /** Note for the user about the order of the classes. */
  note: string | null;
}

/** Nesting of rows of numbers in the values of a column. */
export interface Nesting {
  /** Field whose values are the rows. */
  row: Field;
  /** Whether the rows are the column's child; otherwise its values are divided into rows. */
  isChild: boolean;
  /** Lengths of the axes of the rows in a table row; null for lists of any length. */
  axes: readonly number[] | null;
}

/** Returns the nesting of rows in lists or tensors; null for other columns, and for tensors of one dimension. */
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

/** Returns the shape of an arrow.fixed_shape_tensor in row-major order; null for other columns and permuted tensors. */
export function tensorShapeOf({ type, metadata }: Field): number[] | null {
  const entries = new Map(metadata);
  if (entries.get("ARROW:extension:name") !== "arrow.fixed_shape_tensor")
    return null;
  let tensor: { shape?: unknown; permutation?: unknown } = {};
  try {
    tensor = JSON.parse(entries.get("ARROW:extension:metadata") ?? "") ?? {};
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
