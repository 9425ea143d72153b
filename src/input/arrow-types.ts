import type { ArrowType } from "../arrow/field.js";
import { type FlatTable, MalformedFlatbuffer } from "../arrow/flatbuffer.js";

/** Decodes the table Int of Schema.fbs. @throws MalformedFlatbuffer */
export function decodeInt(table: FlatTable): ArrowType {
  const bitWidth = table.int(0, 4);
  if (![8, 16, 32, 64].includes(bitWidth))
    throw new MalformedFlatbuffer(`integers of ${bitWidth} bits`);
  return { kind: "Int", bitWidth, signed: table.int(1, 1) !== 0 };
}

/** Decodes a member of the Type union of Schema.fbs. @throws MalformedFlatbuffer */
export function decodeType(number: number, table: FlatTable | null): ArrowType {
  if (!table) throw new MalformedFlatbuffer("a column without a type");
  const decode = TYPES[number];
  if (!decode) throw new MalformedFlatbuffer(`unknown type ${number}`);
  return decode(table);
}

function plain(kind: ArrowType["kind"]): () => ArrowType {
  return () => ({ kind }) as ArrowType;
}

function oneOf(allowed: number[], found: number, what: string): number {
  if (allowed.includes(found)) return found;
  throw new MalformedFlatbuffer(
    `a type with ${what} ${found} instead of ${allowed.join(" or ")}`,
  );
}

/** Returns the TimeUnit: 0 to 3 for SECOND, MILLISECOND, MICROSECOND and NANOSECOND. */
function timeUnit(table: FlatTable, missing: number): number {
  return oneOf([0, 1, 2, 3], table.int(0, 2, missing), "unit");
}

const TYPES: Partial<Record<number, (table: FlatTable) => ArrowType>> = {
  1: plain("Null"),
  2: decodeInt,
  3: (table) => ({ kind: "FloatingPoint", precision: table.int(0, 2) }),
  4: plain("Binary"),
  5: plain("Utf8"),
  6: plain("Bool"),
  7: (table) => ({
    kind: "Decimal",
    precision: table.int(0, 4),
    scale: table.int(1, 4),
    bitWidth: oneOf([32, 64, 128, 256], table.int(2, 4, 128), "bits"),
  }),
  8: (table) => ({
    kind: "Date",
    unit: oneOf([0, 1], table.int(0, 2, 1), "unit"),
  }),
  9: (table) => {
    const unit = timeUnit(table, 1);
    // Seconds and milliseconds are int32; microseconds and nanoseconds are int64.
    const bitWidth = oneOf([unit < 2 ? 32 : 64], table.int(1, 4, 32), "bits");
    return { kind: "Time", unit, bitWidth };
  },
  10: (table) => ({
    kind: "Timestamp",
    unit: timeUnit(table, 0),
    timezone: table.string(1),
  }),
  11: (table) => ({
    kind: "Interval",
    unit: oneOf([0, 1, 2], table.int(0, 2), "unit"),
  }),
  12: plain("List"),
  13: plain("Struct"),
  14: (table) => ({
    kind: "Union",
    mode: table.int(0, 2),
    typeIds: table.structs(1, 4, (buffer, at) => buffer.int(at, 4)),
  }),
  15: (table) => ({ kind: "FixedSizeBinary", byteWidth: table.int(0, 4) }),
  16: (table) => ({ kind: "FixedSizeList", listSize: table.int(0, 4) }),
  17: (table) => ({ kind: "Map", keysSorted: table.int(0, 1) !== 0 }),
  18: (table) => ({ kind: "Duration", unit: timeUnit(table, 1) }),
  19: plain("LargeBinary"),
  20: plain("LargeUtf8"),
  21: plain("LargeList"),
  22: plain("RunEndEncoded"),
  23: plain("BinaryView"),
  24: plain("Utf8View"),
  25: plain("ListView"),
  26: plain("LargeListView"),
};
