import {
  type ArrowType,
  type Field,
  kindOf,
  TYPE_PARAMETERS,
} from "../arrow/field.js";
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

/** Number of integers in Schema.fbs. */
const INT = 2;

function decodeDictionary(table: FlatTable | null): Field["dictionary"] {
  const indexType = table?.table(1);
  return (
    table && {
      id: table.int(0, 8),
      indexType: indexType
        ? decodeType(INT, indexType)
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

/** Decodes a member of the Type union of Schema.fbs. @throws MalformedFlatbuffer */
function decodeType(number: number, table: FlatTable | null): ArrowType {
  if (!table) throw new MalformedFlatbuffer("a column without a type");
  const kind = kindOf(number);
  if (!kind) throw new MalformedFlatbuffer(`unknown type ${number}`);
  const type: Record<string, unknown> = { kind };
  const check = (name: string, found: number, allowed: readonly number[]) => {
    if (!allowed.includes(found))
      throw new MalformedFlatbuffer(
        `${kind} with ${name} ${found} instead of ${allowed.join(" or ")}`,
      );
  };
  const parameters = TYPE_PARAMETERS[kind]?.entries() ?? [];
  for (const [slot, [name, bytes, missing, allowed]] of parameters) {
    const value = table.int(slot, bytes, missing);
    if (allowed) check(name, value, allowed);
    type[name] = bytes === 1 ? value !== 0 : value;
  }
  const { unit, bitWidth } = type as { unit?: number; bitWidth?: number };
  // Seconds and milliseconds are int32; microseconds and nanoseconds are int64.
  if (kind === "Time")
    check("bitWidth", Number(bitWidth), [Number(unit) < 2 ? 32 : 64]);
  if (kind === "Timestamp") type.timezone = table.string(1);
  if (kind === "Union")
    type.typeIds = table.structs(1, 4, (buffer, at) => buffer.int(at, 4));
  return type as ArrowType;
}
