import {
  type ArrowType,
  type Field,
  FLOAT_BYTES,
  type NumberType,
} from "../arrow/field.js";

/** A column of numbers: one a table row, or a list of them. */
export interface NumberColumn {
  name: string;
  form: "fixed-size-list" | "list" | "columns";
  /** Its place among the file's columns. */
  columns: number[];
  type: NumberType;
  /** Bytes per value. */
  width: number;
  /** Values per row; null for lists: their length stands in the data. */
  values: number | null;
}

/** What numbers may be: whole ones, floats (float32, float64), or both. */
export type NumberKind = "whole" | "float" | "any";

/** The column at a place among the file's as one number a row; null where it is of another type. */
export function singleNumbers(
  field: Field,
  place: number,
  kind: NumberKind,
): NumberColumn | null {
  return describe(field, place, field, kind, "columns", 1);
}

/** The same for lists and fixed-size lists of numbers. */
export function listedNumbers(
  field: Field,
  place: number,
  kind: NumberKind,
): NumberColumn | null {
  const { type } = field;
  const [child] = field.children;
  if (type.kind === "List")
    return describe(field, place, child, kind, "list", null);
  if (type.kind === "FixedSizeList")
    return describe(
      field,
      place,
      child,
      kind,
      "fixed-size-list",
      type.listSize,
    );
  return null;
}

function describe(
  field: Field,
  place: number,
  stored: Field | undefined,
  kind: NumberKind,
  form: NumberColumn["form"],
  values: number | null,
): NumberColumn | null {
  if (!stored || field.dictionary || stored.dictionary) return null;
  const type = numberType(stored.type, kind);
  if (!type) return null;
  const width = Number(/\d+/.exec(type)?.[0]) / 8;
  return { name: field.name, form, columns: [place], type, width, values };
}

function numberType(type: ArrowType, kind: NumberKind): NumberType | null {
  if (type.kind === "FloatingPoint" && kind !== "whole") {
    const bytes = FLOAT_BYTES[type.precision];
    return bytes === 4 ? "float32" : bytes === 8 ? "float64" : null;
  }
  if (type.kind !== "Int" || kind === "float") return null;
  return `${type.signed ? "" : "u"}int${type.bitWidth}` as NumberType;
}
