import type { ArrowType, Field } from "../arrow/field.js";
import {
  Flatbuffer,
  type FlatTable,
  MalformedFlatbuffer,
} from "../arrow/flatbuffer.js";
import { LIMITS, OverLimit } from "../io/limits.js";

// Arrow's metadata tables (File.fbs, Message.fbs, Schema.fbs) as plain objects. Only their structure is checked here;
// record-batch.ts checks lengths and offsets against each other.

export interface Schema {
  bigEndian: boolean;
  fields: Field[];
  metadata: [key: string, value: string][];
}

/** Position of a message in the file, in bytes; `metadataBytes` include prefix and padding. */
export interface Block {
  offset: number;
  metadataBytes: number;
  bodyBytes: number;
  /** Offset in the original file, if the block was decompressed to another offset. */
  originalOffset?: number;
}

export interface Footer {
  schema: Schema;
  dictionaries: Block[];
  recordBatches: Block[];
}

export interface BatchMetadata {
  rows: number;
  nodes: { length: number; nullCount: number }[];
  buffers: { offset: number; length: number }[];
  compression: string | null;
  variadicCounts: number[];
}

export interface MessageMetadata {
  version: number;
  bodyBytes: number;
  header: "Schema" | "DictionaryBatch" | "RecordBatch" | "other";
  schema: Schema | null;
  batch: BatchMetadata | null;
  dictionary: { id: number; isDelta: boolean } | null;
}

/** Members of the MessageHeader union of Message.fbs, by number. */
const HEADERS = [null, "Schema", "DictionaryBatch", "RecordBatch"] as const;

export function decodeFooter(bytes: Uint8Array): Footer {
  const table = new Flatbuffer(bytes).root();
  const schema = table.table(1);
  if (!schema) throw new MalformedFlatbuffer("no schema");
  return {
    schema: decodeSchema(schema),
    dictionaries: decodeBlocks(table, 2),
    recordBatches: decodeBlocks(table, 3),
  };
}

export function decodeMessage(bytes: Uint8Array): MessageMetadata {
  const table = new Flatbuffer(bytes).root();
  const header = table.table(2);
  const kind = table.int(1, 1);
  if (!header) throw new MalformedFlatbuffer("a message without a header");
  const data = kind === 2 ? header.table(1) : header;
  if (!data) throw new MalformedFlatbuffer("a dictionary without data");
  return {
    version: table.int(0, 2),
    bodyBytes: table.int(3, 8),
    header: HEADERS[kind] ?? "other",
    schema: kind === 1 ? decodeSchema(header) : null,
    batch: kind === 2 || kind === 3 ? decodeBatch(data) : null,
    dictionary:
      kind === 2
        ? { id: header.int(0, 8), isDelta: header.int(2, 1) !== 0 }
        : null,
  };
}

function decodeBlocks(table: FlatTable, slot: number): Block[] {
  return table.structs(slot, 24, (buffer, at) => ({
    offset: buffer.int(at, 8),
    metadataBytes: buffer.int(at + 8, 4),
    bodyBytes: buffer.int(at + 16, 8),
  }));
}

function decodeBatch(table: FlatTable): BatchMetadata {
  const compression = table.table(3);
  const rows = table.int(0, 8);
  if (rows > LIMITS.maxBatchRows) throw new OverLimit("maxBatchRows", rows);
  return {
    rows,
    nodes: table.structs(1, 16, (buffer, at) => ({
      length: buffer.int(at, 8),
      nullCount: buffer.int(at + 8, 8),
    })),
    buffers: table.structs(2, 16, (buffer, at) => ({
      offset: buffer.int(at, 8),
      length: buffer.int(at + 8, 8),
    })),
    compression: compression
      ? (["LZ4_FRAME", "ZSTD"][compression.int(0, 1)] ?? "unknown")
      : null,
    variadicCounts: table.structs(4, 8, (buffer, at) => buffer.int(at, 8)),
  };
}

function decodeSchema(schema: FlatTable): Schema {
  let columns = 0;
  const decodeField = (table: FlatTable, depth: number): Field => {
    if (depth > LIMITS.maxNesting) throw new OverLimit("maxNesting", depth);
    if (++columns > LIMITS.maxColumns)
      throw new OverLimit("maxColumns", columns);
    return {
      name: table.string(0) ?? "",
      nullable: table.int(1, 1) !== 0,
      type: decodeType(table.int(2, 1), table.table(3)),
      dictionary: decodeDictionary(table.table(4)),
      children: table.tables(5).map((child) => decodeField(child, depth + 1)),
      metadata: decodeKeyValues(table, 6),
    };
  };
  return {
    bigEndian: schema.int(0, 2) === 1,
    fields: schema.tables(1).map((field) => decodeField(field, 0)),
    metadata: decodeKeyValues(schema, 2),
  };
}

function decodeDictionary(table: FlatTable | null): Field["dictionary"] {
  const indexType = table?.table(1);
  return (
    table && {
      id: table.int(0, 8),
      indexType: indexType
        ? decodeInt(indexType)
        : { kind: "Int", bitWidth: 32, signed: true },
      ordered: table.int(2, 1) !== 0,
    }
  );
}

function decodeKeyValues(
  table: FlatTable,
  slot: number,
): [key: string, value: string][] {
  return table
    .tables(slot)
    .map((pair) => [pair.string(0) ?? "", pair.string(1) ?? ""]);
}

/** Decodes the table Int of Schema.fbs. @throws MalformedFlatbuffer */
function decodeInt(table: FlatTable): ArrowType {
  const bitWidth = table.int(0, 4);
  if (![8, 16, 32, 64].includes(bitWidth))
    throw new MalformedFlatbuffer(`integers of ${bitWidth} bits`);
  return { kind: "Int", bitWidth, signed: table.int(1, 1) !== 0 };
}

/** Decodes a member of the Type union of Schema.fbs. @throws MalformedFlatbuffer */
function decodeType(number: number, table: FlatTable | null): ArrowType {
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
