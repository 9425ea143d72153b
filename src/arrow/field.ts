import { shortList, shortName } from "../printable.js";

/** Logical type of Arrow, named as in Schema.fbs, with the parameters that affect its storage. */
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

export interface DictionaryEncoding {
  id: number;
  /** Type of the indices; the field itself has the type of the values. */
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

/** Type of numbers in an input. */
export type NumberType =
  | "float16"
  | "bfloat16"
  | "float32"
  | "float64"
  | `${"" | "u"}int${8 | 16 | 32 | 64}`;

/** Bytes of a number of a type. */
export function numberWidth(type: NumberType): number {
  return Number(/\d+/.exec(type)?.[0]) / 8;
}

/** Returns the number type of a type; null for other types. */
export function numberTypeOf(type: ArrowType): NumberType | null {
  if (type.kind === "Int")
    return `${type.signed ? "" : "u"}int${type.bitWidth}` as NumberType;
  if (type.kind !== "FloatingPoint") return null;
  return (["float16", "float32", "float64"] as const)[type.precision] ?? null;
}

/** Returns the Arrow type of numbers; bfloat16 has none. */
export function arrowTypeOf(type: NumberType): ArrowType {
  const bitWidth = 8 * numberWidth(type);
  return type.startsWith("float")
    ? { kind: "FloatingPoint", precision: Math.log2(bitWidth / 16) }
    : { kind: "Int", bitWidth, signed: type.startsWith("i") };
}

/** Returns a field without nulls, dictionary and metadata. */
export function plainField(
  name: string,
  type: ArrowType,
  children: Field[] = [],
): Field {
  return {
    name,
    nullable: false,
    type,
    dictionary: null,
    children,
    metadata: [],
  };
}

/** The type whose layout a column has in a record batch: the indices of a dictionary, else the type itself. */
export function storedType(field: Field): ArrowType {
  return field.dictionary ? field.dictionary.indexType : field.type;
}

/** Bits per value of a fixed-width type, 0 for every other. */
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

/** Bytes per offset of a variable-length binary type, 0 for every other. */
export function offsetBytes(type: ArrowType): 0 | 4 | 8 {
  switch (type.kind) {
    case "Utf8":
    case "Binary":
      return 4;
    case "LargeUtf8":
    case "LargeBinary":
      return 8;
    default:
      return 0;
  }
}

/** Buffer of a type's own layout. */
export interface BufferLayout {
  role: "validity" | "offsets" | "sizes" | "values";
  /** Bits per value; 0: only the data has the size. */
  bits: number;
  /** Values beside those of the column: the end of the last list. */
  extra: 0 | 1;
}

/** Returns the buffers of a type, children and the data buffers of views not included (Columnar.rst, "Buffer listing for each layout"). */
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

/** Returns the bytes that a buffer must have for a number of values. */
export function bufferBytes(
  { bits, extra, role }: BufferLayout,
  { length, nullCount }: { length: number; nullCount: number },
): number {
  if (length === 0 || (role === "validity" && nullCount === 0)) return 0;
  return Math.ceil(((length + extra) * bits) / 8);
}

/** A type as people write it: `int8`, `float`, `fixed_size_list<float>[10]`, … */
export function describeField(field: Field): string {
  const own = describeType(field.type, field.children);
  return field.dictionary
    ? `dictionary<${describeType(field.dictionary.indexType, [])}, ${own}>`
    : own;
}

function describeType(type: ArrowType, children: Field[]): string {
  const inner = shortList(children, describeField);
  switch (type.kind) {
    case "Int":
      return `${type.signed ? "" : "u"}int${type.bitWidth}`;
    case "FloatingPoint":
      return ["float16", "float32", "float64"][type.precision] ?? "float?";
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
