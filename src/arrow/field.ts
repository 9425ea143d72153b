import { Type } from "apache-arrow/fb/type";
import { shortList, shortName } from "../printable.js";

/** Logical Arrow type, named as in Schema.fbs, with its parameters. */
export type ArrowType =
  | { kind: "Null" | "Binary" | "Utf8" | "Bool" | "List" | "Struct" }
  | { kind: "LargeBinary" | "LargeUtf8" | "LargeList" | "RunEndEncoded" }
  | { kind: "BinaryView" | "Utf8View" | "ListView" | "LargeListView" }
  | { kind: "Int"; bitWidth: number; signed: boolean }
  | { kind: "FloatingPoint"; precision: number }
  | { kind: "Decimal"; precision: number; scale: number; bitWidth: number }
  | { kind: "Date"; unit: number }
  | { kind: "Time"; unit: number; bitWidth: number }
  | { kind: "Timestamp"; unit: number; timezone: string | null }
  | { kind: "Interval"; unit: number }
  | { kind: "Duration"; unit: number }
  | { kind: "FixedSizeBinary"; byteWidth: number }
  | { kind: "FixedSizeList"; listSize: number }
  | { kind: "Map"; keysSorted: boolean }
  | { kind: "Union"; mode: number; typeIds: number[] };

/** Integer in the table of a type: its name in ArrowType, bytes, value if it is missing, and the values that a file may have. */
type TypeParameter = readonly [
  name: string,
  bytes: 1 | 2 | 4,
  missing?: number,
  allowed?: readonly number[],
];

function unit(missing: number, ...allowed: number[]): TypeParameter {
  return ["unit", 2, missing, allowed];
}

/**
 * Integers in the tables of types (Schema.fbs), in order; those of one byte are booleans. A timestamp has a timezone too, and a
 * union the ids of its types.
 */
export const TYPE_PARAMETERS: Partial<
  Record<ArrowType["kind"], readonly TypeParameter[]>
> = {
  Int: [
    ["bitWidth", 4, 0, [8, 16, 32, 64]],
    ["signed", 1],
  ],
  FloatingPoint: [["precision", 2]],
  Decimal: [
    ["precision", 4],
    ["scale", 4],
    ["bitWidth", 4, 128, [32, 64, 128, 256]],
  ],
  Date: [unit(1, 0, 1)],
  Time: [unit(1, 0, 1, 2, 3), ["bitWidth", 4, 32]],
  Timestamp: [unit(0, 0, 1, 2, 3)],
  Interval: [unit(0, 0, 1, 2)],
  Union: [["mode", 2]],
  FixedSizeBinary: [["byteWidth", 4]],
  FixedSizeList: [["listSize", 4]],
  Map: [["keysSorted", 1]],
  Duration: [unit(1, 0, 1, 2, 3)],
};

/** Returns the kind of a type by its number in Schema.fbs; null for an unknown number. */
export function kindOf(number: number): ArrowType["kind"] | null {
  const name = number === Type.NONE ? null : Type[number];
  return (name?.replace("_", "") as ArrowType["kind"]) ?? null;
}

interface DictionaryEncoding {
  id: number;
  /** Type of the indices; the field's `type` is the type of the values. */
  indexType: ArrowType;
  ordered: boolean;
}

export interface Field {
  name: string;
  nullable: boolean;
  type: ArrowType;
  dictionary: DictionaryEncoding | null;
  children: Field[];
  metadata: [key: string, value: string][];
}

/** Number type of an input. */
export type NumberType =
  | "float16"
  | "bfloat16"
  | "float32"
  | "float64"
  | `${"" | "u"}int${8 | 16 | 32 | 64}`;

/** Returns the bytes per number. */
export function numberWidth(type: NumberType): number {
  return Number(/\d+/.exec(type)?.[0]) / 8;
}

/** Returns the number type of an Arrow type; null for other types. */
export function numberTypeOf(type: ArrowType): NumberType | null {
  if (type.kind === "Int")
    return `${type.signed ? "" : "u"}int${type.bitWidth}` as NumberType;
  if (type.kind !== "FloatingPoint") return null;
  return (["float16", "float32", "float64"] as const)[type.precision] ?? null;
}

/** Returns the Arrow type of a number type, except bfloat16, which Arrow lacks. */
export function arrowTypeOf(type: NumberType): ArrowType {
  const bitWidth = 8 * numberWidth(type);
  return type.startsWith("float")
    ? { kind: "FloatingPoint", precision: Math.log2(bitWidth / 16) }
    : { kind: "Int", bitWidth, signed: type.startsWith("i") };
}

/** Returns a field without nulls, dictionary or metadata. */
export function plainField(
  name: string,
  type: ArrowType,
  children: Field[] = [],
): Field {
  const own = { name, nullable: false, type, children };
  return { ...own, dictionary: null, metadata: [] };
}

/** Returns the type that record batches store: the index type of a dictionary, else the type itself. */
export function storedType(field: Field): ArrowType {
  return field.dictionary ? field.dictionary.indexType : field.type;
}

/** Returns the integers that store dates; other types unchanged. */
export function integerOfDate(type: ArrowType): ArrowType {
  return type.kind === "Date"
    ? { kind: "Int", bitWidth: fixedBits(type), signed: true }
    : type;
}

/** Returns the bits per value of a fixed-width type; 0 for other types. */
export function fixedBits(type: ArrowType): number {
  switch (type.kind) {
    case "Bool":
      return 1;
    case "Int":
    case "Decimal":
    case "Time":
      return type.bitWidth;
    case "FloatingPoint":
      return [16, 32, 64][type.precision] ?? 0;
    case "Date":
      return type.unit === 0 ? 32 : 64;
    case "Timestamp":
    case "Duration":
      return 64;
    case "Interval":
      return [32, 64, 128][type.unit] ?? 0;
    case "FixedSizeBinary":
      return 8 * type.byteWidth;
    default:
      return 0;
  }
}

/** Returns the bytes per offset of a variable-size binary type; 0 for other types. */
export function offsetBytes({ kind }: ArrowType): 0 | 4 | 8 {
  if (kind === "LargeUtf8" || kind === "LargeBinary") return 8;
  return kind === "Utf8" || kind === "Binary" ? 4 : 0;
}

/** Buffer in the layout of a type. */
export interface BufferLayout {
  role: "validity" | "offsets" | "sizes" | "values";
  /** Bits per value; 0 if the size depends on the data. */
  bits: number;
  /** Number of additional values: 1 for offsets, which include the end of the last list. */
  extra: 0 | 1;
}

/** Returns the buffers of a type without children and data buffers of views (Columnar.rst, "Buffer Listing for Each Layout"). */
export function buffersOf(type: ArrowType): BufferLayout[] {
  const width = type.kind.startsWith("Large") ? 64 : 32;
  const validity = buffer("validity", 1);
  const offsets = buffer("offsets", width, 1);
  switch (type.kind) {
    case "Null":
    case "RunEndEncoded":
      return [];
    case "Struct":
    case "FixedSizeList":
      return [validity];
    case "List":
    case "LargeList":
    case "Map":
      return [validity, offsets];
    case "ListView":
    case "LargeListView":
      return [validity, buffer("offsets", width), buffer("sizes", width)];
    case "Binary":
    case "Utf8":
    case "LargeBinary":
    case "LargeUtf8":
      return [validity, offsets, buffer("values", 0)];
    case "BinaryView":
    case "Utf8View":
      return [validity, buffer("values", 128)];
    case "Union": {
      const typeIds = buffer("values", 8);
      return type.mode === 1 ? [typeIds, buffer("offsets", 32)] : [typeIds];
    }
    default:
      return [validity, buffer("values", fixedBits(type))];
  }
}

function buffer(
  role: BufferLayout["role"],
  bits: number,
  extra: 0 | 1 = 0,
): BufferLayout {
  return { role, bits, extra };
}

/** Returns the minimum size of a buffer, in bytes. */
export function bufferBytes(
  { bits, extra, role }: BufferLayout,
  { length, nullCount }: { length: number; nullCount: number },
): number {
  if (length === 0 || (role === "validity" && nullCount === 0)) return 0;
  return Math.ceil(((length + extra) * bits) / 8);
}

/** Returns the type as text: `int8`, `fixed_size_list<float32>[10]`, … */
export function describeField(field: Field): string {
  const valueType = describeType(field.type, field.children);
  return field.dictionary
    ? `dictionary<${describeType(field.dictionary.indexType, [])}, ${valueType}>`
    : valueType;
}

function describeType(type: ArrowType, children: Field[]): string {
  const inner = shortList(children, describeField);
  switch (type.kind) {
    case "Int":
    case "FloatingPoint":
      return numberTypeOf(type) ?? "float?";
    case "Map":
      return `map<${shortList(children[0]?.children ?? [], describeField)}>`;
    case "Struct":
      return `struct<${shortList(children, (field) => `${shortName(field.name)}: ${describeField(field)}`)}>`;
    case "FixedSizeList":
      return `fixed_size_list<${inner}>[${type.listSize}]`;
    case "FixedSizeBinary":
      return `fixed_size_binary[${type.byteWidth}]`;
    default: {
      const name = type.kind.replace(/([a-z])([A-Z])/g, "$1_$2").toLowerCase();
      return inner ? `${name}<${inner}>` : name;
    }
  }
}

export type FloatType = "float32" | "float64";
