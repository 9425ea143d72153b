import {
  type ArrowType,
  type Field,
  type NumberType,
  numberWidth,
} from "../arrow/field.js";
import type { SourceForm } from "../arrow/source-form.js";

/** A column of numbers: one a table row, or a list of them. */
export interface NumberColumn {
  name: string;
  form: SourceForm;
  /** Its place among the file's columns. */
  columns: number[];
  type: NumberType;
  /** Bytes per value. */
  width: number;
  /** Values per row; null for lists: their length stands in the data. */
  values: number | null;
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

const LISTS: Partial<Record<ArrowType["kind"], SourceForm>> = {
  List: "list",
  LargeList: "large-list",
  ListView: "list-view",
  LargeListView: "large-list-view",
};

/** The same for lists of numbers, of any form, and structs of numbers of one type. */
export function listedNumbers(
  field: Field,
  place: number,
  kind: NumberKind,
): NumberColumn | null {
  const { type, children } = field;
  const [child] = children;
  const whole = (form: SourceForm, values: number | null) =>
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
  const width = numberWidth(type);
  return { name: field.name, form, columns: [place], type, width, values };
}

function numberType(type: ArrowType, kind: NumberKind): NumberType | null {
  if (type.kind === "FloatingPoint")
    return kind === "whole" ? null : (FLOAT_TYPES[type.precision] ?? null);
  if (type.kind !== "Int" || kind === "float") return null;
  return `${type.signed ? "" : "u"}int${type.bitWidth}` as NumberType;
}

const FLOAT_TYPES: readonly NumberType[] = ["float16", "float32", "float64"];
