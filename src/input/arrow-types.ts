import type { ArrowType } from "../arrow/field.js";
import { type FlatTable, MalformedFlatbuffer } from "./flatbuffer.js";

/** Table Int of Schema.fbs. @throws MalformedFlatbuffer */
export function decodeInt(table: FlatTable): ArrowType {
  const bitWidth = table.int32(0);
  if (![8, 16, 32, 64].includes(bitWidth))
    throw new MalformedFlatbuffer(`integers of ${bitWidth} bits`);
  return { kind: "Int", bitWidth, signed: table.uint8(1) !== 0 };
}

/** SECOND, MILLISECOND, MICROSECOND, NANOSECOND. */
const TIME_UNITS = [0, 1, 2, 3];

function oneOf(allowed: number[], found: number, what: string): number {
  if (allowed.includes(found)) return found;
  throw new MalformedFlatbuffer(
    `a type with ${what} ${found} instead of ${allowed.join(" or ")}`,
  );
}

/** The Type union of Schema.fbs, by its number there. @throws MalformedFlatbuffer */
export function decodeType(number: number, table: FlatTable | null): ArrowType {
  if (!table) throw new MalformedFlatbuffer("a column without a type");
  switch (number) {
    case 2:
      return decodeInt(table);
    case 3:
      return { kind: "FloatingPoint", precision: table.int16(0) };
    case 7:
      return {
        kind: "Decimal",
        precision: table.int32(0),
        scale: table.int32(1),
        bitWidth: oneOf([32, 64, 128, 256], table.int32(2, 128), "bits"),
      };
    case 8:
      return { kind: "Date", unit: oneOf([0, 1], table.int16(0, 1), "unit") };
    case 9: {
      const unit = oneOf(TIME_UNITS, table.int16(0, 1), "unit");
      // Seconds and milliseconds are int32, micro- and nanoseconds int64.
      const bitWidth = oneOf([unit < 2 ? 32 : 64], table.int32(1, 32), "bits");
      return { kind: "Time", unit, bitWidth };
    }
    case 10:
      return {
        kind: "Timestamp",
        unit: oneOf(TIME_UNITS, table.int16(0), "unit"),
        timezone: table.string(1),
      };
    case 11:
      return {
        kind: "Interval",
        unit: oneOf([0, 1, 2], table.int16(0), "unit"),
      };
    case 14:
      return {
        kind: "Union",
        mode: table.int16(0),
        typeIds: table.structs(1, 4, (buffer, at) => buffer.int32(at)),
      };
    case 15:
      return { kind: "FixedSizeBinary", byteWidth: table.int32(0) };
    case 16:
      return { kind: "FixedSizeList", listSize: table.int32(0) };
    case 17:
      return { kind: "Map", keysSorted: table.uint8(0) !== 0 };
    case 18:
      return {
        kind: "Duration",
        unit: oneOf(TIME_UNITS, table.int16(0, 1), "unit"),
      };
    default: {
      const kind = PLAIN_TYPES[number];
      if (!kind) throw new MalformedFlatbuffer(`unknown type ${number}`);
      return { kind };
    }
  }
}

const PLAIN_TYPES = {
  1: "Null",
  4: "Binary",
  5: "Utf8",
  6: "Bool",
  12: "List",
  13: "Struct",
  19: "LargeBinary",
  20: "LargeUtf8",
  21: "LargeList",
  22: "RunEndEncoded",
  23: "BinaryView",
  24: "Utf8View",
  25: "ListView",
  26: "LargeListView",
} as const satisfies Record<number, string> as Record<
  number,
  | "Null"
  | "Binary"
  | "Utf8"
  | "Bool"
  | "List"
  | "Struct"
  | "LargeBinary"
  | "LargeUtf8"
  | "LargeList"
  | "RunEndEncoded"
  | "BinaryView"
  | "Utf8View"
  | "ListView"
  | "LargeListView"
>;
