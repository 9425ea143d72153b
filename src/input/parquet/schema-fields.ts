import type { ArrowType, Field } from "../../arrow/field.js";
import {
  NO_LOGICAL_TYPE,
  OPTIONAL,
  REPEATED,
  type SchemaNode,
} from "./file-metadata.js";

// Arrow types of a Parquet schema (parquet-format, LogicalTypes.md), as far as messages and the choice of columns need
// them; the decoder has the last word.

/** Returns the columns of a schema. */
export function schemaFields(schema: SchemaNode): Field[] {
  return schema.children.map(columnField);
}

/** A field may be repeated without a list around it: then it is a list of values that are not null. */
function columnField(node: SchemaNode): Field {
  if (node.repetition !== REPEATED) return nodeField(node);
  const item = { ...nodeField(node), nullable: false };
  return fieldOf(node, { kind: "List" }, [item]);
}

function nodeField(node: SchemaNode): Field {
  if (node.type >= 0) return fieldOf(node, leafType(node), []);
  const { converted, logical, children } = node;
  const [child] = children;
  const isOne = children.length === 1 && child?.repetition === REPEATED;
  if (isOne && (logical?.kind === LIST || converted === CONVERTED_LIST))
    return fieldOf(node, { kind: "List" }, [listItem(node, child)]);
  const isMap = logical?.kind === MAP || CONVERTED_MAPS.includes(converted);
  if (isOne && isMap && child.children.length === 2) {
    const entries = fieldOf(
      child,
      { kind: "Struct" },
      child.children.map(columnField),
    );
    return fieldOf(node, { kind: "Map", keysSorted: false }, [entries]);
  }
  return fieldOf(node, { kind: "Struct" }, children.map(columnField));
}

/** The repeated node of a list is its item, or is a group around it (LogicalTypes.md, "Backward-compatibility rules"). */
function listItem(list: SchemaNode, repeated: SchemaNode): Field {
  const [only] = repeated.children;
  const isItem =
    !only ||
    repeated.children.length > 1 ||
    only.repetition === REPEATED ||
    repeated.name === "array" ||
    repeated.name === `${list.name}_tuple`;
  return isItem
    ? { ...nodeField(repeated), nullable: false }
    : columnField(only);
}

function fieldOf(
  { name, repetition }: SchemaNode,
  type: ArrowType,
  children: Field[],
): Field {
  const nullable = repetition === OPTIONAL;
  return { name, nullable, type, dictionary: null, children, metadata: [] };
}

/** Kinds of LogicalType and ConvertedType, as stored. */
const MAP = 2;
const LIST = 3;
const CONVERTED_LIST = 3;
const CONVERTED_MAPS = [1, 2];

const TEXT: ArrowType = { kind: "Utf8" };
const BYTES: ArrowType = { kind: "Binary" };
const DAYS: ArrowType = { kind: "Date", unit: 0 };

function leafType(node: SchemaNode): ArrowType {
  const { logical, converted, scale, precision, typeLength } = node;
  const { kind, numbers, unit, flags } = logical ?? NO_LOGICAL_TYPE;
  switch (kind) {
    case 1:
    case 4:
    case 12:
      return TEXT;
    case 5:
      return decimal(numbers[2] ?? 0, numbers[1] ?? 0);
    case 6:
      return DAYS;
    case 7:
      return { kind: "Time", unit, bitWidth: unit < 2 ? 32 : 64 };
    case 8:
      return timestamp(unit, flags[1] ? "UTC" : null);
    case 10:
      return int(numbers[1] ?? 32, flags[2] ?? true);
    case 11:
      return { kind: "Null" };
    case 15:
      return { kind: "FloatingPoint", precision: 0 };
  }
  if (converted === CONVERTED_DECIMAL) return decimal(precision, scale);
  return (
    CONVERTED[converted] ??
    (node.type === FIXED
      ? { kind: "FixedSizeBinary", byteWidth: typeLength }
      : (PHYSICAL[node.type] ?? BYTES))
  );
}

const CONVERTED_DECIMAL = 5;
const FIXED = 7;

function int(bitWidth: number, signed: boolean): ArrowType {
  return { kind: "Int", bitWidth, signed };
}

function decimal(precision: number, scale: number): ArrowType {
  const bitWidth = precision > 38 ? 256 : 128;
  return { kind: "Decimal", precision, scale, bitWidth };
}

function timestamp(unit: number, timezone: string | null): ArrowType {
  return { kind: "Timestamp", unit, timezone };
}

/** By Type, as stored. */
const PHYSICAL: readonly ArrowType[] = [
  { kind: "Bool" },
  int(32, true),
  int(64, true),
  timestamp(3, null),
  { kind: "FloatingPoint", precision: 1 },
  { kind: "FloatingPoint", precision: 2 },
];

/** By ConvertedType, as stored. */
const CONVERTED: { readonly [converted: number]: ArrowType } = {
  0: TEXT,
  4: TEXT,
  6: DAYS,
  7: { kind: "Time", unit: 1, bitWidth: 32 },
  8: { kind: "Time", unit: 2, bitWidth: 64 },
  9: timestamp(1, "UTC"),
  10: timestamp(2, "UTC"),
  11: int(8, false),
  12: int(16, false),
  13: int(32, false),
  14: int(64, false),
  15: int(8, true),
  16: int(16, true),
  17: int(32, true),
  18: int(64, true),
  19: TEXT,
};
