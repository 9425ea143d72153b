import {
  type ArrowType,
  arrowTypeOf,
  type Field,
  plainField,
} from "../../arrow/field.js";
import {
  logicalKind,
  OPTIONAL,
  REPEATED,
  type SchemaNode,
} from "../../tasks/parquet-metadata.js";

// Arrow types of a Parquet schema (parquet-format, LogicalTypes.md), for messages and the choice of columns only: time units are
// placeholders, and the decoder determines the final types.

/** Returns the Arrow field of a schema node. A repeated node outside of a LIST group is a list of values. */
export function schemaField(node: SchemaNode): Field {
  const field = nodeField(node);
  return node.repetition === REPEATED
    ? fieldOf(node, { kind: "List" }, [field])
    : field;
}

function nodeField(node: SchemaNode): Field {
  if (node.type !== undefined) return fieldOf(node, leafType(node));
  const { converted = -1, children } = node;
  const kind = logicalKind(node);
  const [child] = children;
  if (child?.repetition === REPEATED && children.length === 1) {
    if (kind === LIST || converted === CONVERTED_LIST)
      return fieldOf(node, { kind: "List" }, [listItem(node, child)]);
    const isMap = kind === MAP || CONVERTED_MAPS.includes(converted);
    if (isMap && child.children.length === 2)
      return fieldOf(node, { kind: "Map", keysSorted: false }, [
        nodeField(child),
      ]);
  }
  return fieldOf(node, { kind: "Struct" }, children.map(schemaField));
}

/** Returns the item of a list: its repeated node, or the only child of that (LogicalTypes.md, "Backward-compatibility rules"). */
function listItem(list: SchemaNode, repeated: SchemaNode): Field {
  const [only] = repeated.children;
  const isItem =
    !only ||
    repeated.children.length > 1 ||
    only.repetition === REPEATED ||
    repeated.name === "array" ||
    repeated.name === `${list.name}_tuple`;
  return isItem ? nodeField(repeated) : nodeField(only);
}

function fieldOf(
  { name, repetition }: SchemaNode,
  type: ArrowType,
  children: Field[] = [],
): Field {
  const nullable = repetition === OPTIONAL;
  return { ...plainField(name, type, children), nullable };
}

/** Values of LogicalType and ConvertedType as stored. */
const MAP = 2;
const LIST = 3;
const CONVERTED_LIST = 3;
const CONVERTED_MAPS = [1, 2];
const CONVERTED_DECIMAL = 5;

const TEXT: ArrowType = { kind: "Utf8" };
const DAYS: ArrowType = { kind: "Date", unit: 0 };
const TIME: ArrowType = { kind: "Time", unit: 2, bitWidth: 64 };
const TIMESTAMP: ArrowType = { kind: "Timestamp", unit: 2, timezone: null };
const BYTES: ArrowType = { kind: "Binary" };
const FIXED_BYTES = 7;

const BY_LOGICAL: { readonly [kind: number]: ArrowType } = {
  1: TEXT,
  4: TEXT,
  6: DAYS,
  7: TIME,
  8: TIMESTAMP,
  11: { kind: "Null" },
  12: TEXT,
  15: arrowTypeOf("float16"),
};

const BY_CONVERTED: { readonly [converted: number]: ArrowType } = {
  0: TEXT,
  4: TEXT,
  6: DAYS,
  7: TIME,
  8: TIME,
  9: TIMESTAMP,
  10: TIMESTAMP,
  11: arrowTypeOf("uint8"),
  12: arrowTypeOf("uint16"),
  13: arrowTypeOf("uint32"),
  14: arrowTypeOf("uint64"),
  15: arrowTypeOf("int8"),
  16: arrowTypeOf("int16"),
  17: arrowTypeOf("int32"),
  18: arrowTypeOf("int64"),
  19: TEXT,
};

/** Arrow types by the stored value of Type. */
const BY_TYPE: readonly ArrowType[] = [
  { kind: "Bool" },
  arrowTypeOf("int32"),
  arrowTypeOf("int64"),
  TIMESTAMP,
  arrowTypeOf("float32"),
  arrowTypeOf("float64"),
  BYTES,
];

function leafType(node: SchemaNode): ArrowType {
  const { type = -1, typeLength = 0, converted = -1 } = node;
  const { precision = 0, scale = 0 } = node;
  const bitWidth = precision > 38 ? 256 : 128;
  if (converted === CONVERTED_DECIMAL)
    return { kind: "Decimal", precision, scale, bitWidth };
  return (
    BY_LOGICAL[logicalKind(node)] ??
    BY_CONVERTED[converted] ??
    (type === FIXED_BYTES
      ? { kind: "FixedSizeBinary", byteWidth: typeLength }
      : (BY_TYPE[type] ?? BYTES))
  );
}
