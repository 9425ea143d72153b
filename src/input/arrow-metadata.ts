import type { Field } from "../arrow/field.js";
import { decodeInt, decodeType } from "./arrow-types.js";
import {
  Flatbuffer,
  type FlatTable,
  MalformedFlatbuffer,
} from "./flatbuffer.js";
import { LIMITS, OverLimit } from "./limits.js";

// Arrow's metadata tables (File.fbs, Message.fbs, Schema.fbs) as plain objects. Structure only: whether the numbers make
// sense together is for logits-file.ts and record-batch.ts.

export interface Schema {
  bigEndian: boolean;
  fields: Field[];
  metadata: [key: string, value: string][];
}

export interface Block {
  offset: number;
  metadataBytes: number;
  bodyBytes: number;
  /** Offset in the original file, for a block that was decompressed to another place. */
  originalOffset?: number;
}

/** Returns the position of a block in the original file. */
export function positionOf({ offset, originalOffset }: Block): number {
  return originalOffset ?? offset;
}

export interface Footer {
  version: number;
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

/** MetadataVersion V4 and V5, as stored. */
export const VERSIONS_READ = [3, 4];

export function decodeFooter(bytes: Uint8Array): Footer {
  const table = new Flatbuffer(bytes).root();
  const schema = table.table(1);
  if (!schema) throw new MalformedFlatbuffer("no schema");
  return {
    version: table.int16(0),
    schema: decodeSchema(schema),
    dictionaries: decodeBlocks(table, 2),
    recordBatches: decodeBlocks(table, 3),
  };
}

export function decodeMessage(bytes: Uint8Array): MessageMetadata {
  const table = new Flatbuffer(bytes).root();
  const header = table.table(2);
  const kind = table.uint8(1);
  if (!header) throw new MalformedFlatbuffer("a message without a header");
  const base = {
    version: table.int16(0),
    bodyBytes: table.int64(3),
    schema: null,
    batch: null,
    dictionary: null,
  };
  if (kind === 3) {
    const batch = decodeBatch(header);
    return { ...base, header: "RecordBatch", batch };
  }
  if (kind === 2) {
    const data = header.table(1);
    if (!data) throw new MalformedFlatbuffer("a dictionary without data");
    return {
      ...base,
      header: "DictionaryBatch",
      batch: decodeBatch(data),
      dictionary: { id: header.int64(0), isDelta: header.uint8(2) !== 0 },
    };
  }
  if (kind === 1)
    return { ...base, header: "Schema", schema: decodeSchema(header) };
  return { ...base, header: "other" };
}

function decodeBlocks(table: FlatTable, slot: number): Block[] {
  return table.structs(slot, 24, (buffer, at) => ({
    offset: buffer.int64(at),
    metadataBytes: buffer.int32(at + 8),
    bodyBytes: buffer.int64(at + 16),
  }));
}

function decodeBatch(table: FlatTable): BatchMetadata {
  const compression = table.table(3);
  const rows = table.int64(0);
  if (rows > LIMITS.maxBatchRows)
    throw new OverLimit("maxBatchRows", "rows in a batch", rows);
  return {
    rows,
    nodes: table.structs(1, 16, (buffer, at) => ({
      length: buffer.int64(at),
      nullCount: buffer.int64(at + 8),
    })),
    buffers: table.structs(2, 16, (buffer, at) => ({
      offset: buffer.int64(at),
      length: buffer.int64(at + 8),
    })),
    compression: compression
      ? (["LZ4_FRAME", "ZSTD"][compression.uint8(0)] ?? "unknown")
      : null,
    variadicCounts: table.structs(4, 8, (buffer, at) => buffer.int64(at)),
  };
}

function decodeSchema(table: FlatTable): Schema {
  const within = new SchemaLimits();
  return {
    bigEndian: table.int16(0) === 1,
    fields: table.tables(1).map((field) => decodeField(field, within, 0)),
    metadata: decodeKeyValues(table, 2),
  };
}

function decodeField(
  table: FlatTable,
  within: SchemaLimits,
  depth: number,
): Field {
  within.add(depth);
  const dictionary = table.table(4);
  const indexType = dictionary?.table(1);
  return {
    name: table.string(0) ?? "",
    nullable: table.uint8(1) !== 0,
    type: decodeType(table.uint8(2), table.table(3)),
    dictionary: dictionary
      ? {
          id: dictionary.int64(0),
          indexType: indexType
            ? decodeInt(indexType)
            : { kind: "Int", bitWidth: 32, signed: true },
          ordered: dictionary.uint8(2) !== 0,
        }
      : null,
    children: table
      .tables(5)
      .map((child) => decodeField(child, within, depth + 1)),
    metadata: decodeKeyValues(table, 6),
  };
}

/** Counts the columns of a schema. */
class SchemaLimits {
  #columns = 0;

  add(depth: number): void {
    if (depth > LIMITS.maxNesting)
      throw new OverLimit("maxNesting", "levels of nested columns", depth);
    if (++this.#columns > LIMITS.maxColumns)
      throw new OverLimit("maxColumns", "columns", this.#columns);
  }
}

function decodeKeyValues(
  table: FlatTable,
  slot: number,
): [key: string, value: string][] {
  return table
    .tables(slot)
    .map((pair) => [pair.string(0) ?? "", pair.string(1) ?? ""]);
}
