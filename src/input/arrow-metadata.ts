import type { Field } from "../arrow/field.js";
import {
  Flatbuffer,
  type FlatTable,
  MalformedFlatbuffer,
} from "../arrow/flatbuffer.js";
import { InputFormatError, InputUnsupportedError } from "../errors.js";
import { checkLimit, LIMITS, OverLimit } from "../io/limits.js";
import { decodeInt, decodeType } from "./arrow-types.js";
import { type InputFile, readInput } from "./read-input.js";

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

/** Members of the MessageHeader union of Message.fbs, by number. */
const HEADERS = [null, "Schema", "DictionaryBatch", "RecordBatch"] as const;

/** MetadataVersion V4 and V5, as stored. */
const VERSIONS_READ = [3, 4];

export function decodeFooter(bytes: Uint8Array): Footer {
  const table = new Flatbuffer(bytes).root();
  const schema = table.table(1);
  if (!schema) throw new MalformedFlatbuffer("no schema");
  return {
    version: table.int(0, 2),
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
  if (rows > LIMITS.maxBatchRows)
    throw new OverLimit("maxBatchRows", "rows in a batch", rows);
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
    if (depth > LIMITS.maxNesting)
      throw new OverLimit("maxNesting", "levels of nested columns", depth);
    if (++columns > LIMITS.maxColumns)
      throw new OverLimit("maxColumns", "columns", columns);
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

/**
 * Reads the metadata of a message and checks its version and lengths.
 * @param bodyBytes size that the footer declares; null if there is no footer
 * @throws InputFormatError, InputUnsupportedError
 */
export function readMessage(
  file: Pick<InputFile, "path" | "fd" | "present">,
  {
    offset,
    metadataBytes,
    bodyBytes,
  }: Pick<Block, "offset" | "metadataBytes"> & { bodyBytes: number | null },
  where: string,
): MessageMetadata {
  const { path } = file;
  const error = (text: string) => new InputFormatError(path, where, text);
  checkMetadataBytes(file, where, metadataBytes);
  const bytes = new Uint8Array(metadataBytes);
  readInput(file, bytes, offset);
  const view = new DataView(bytes.buffer);
  // Arrow before 0.15 wrote no continuation marker before the length.
  const prefix = view.getUint32(0, true) === 0xffffffff ? 8 : 4;
  const length = view.getInt32(prefix - 4, true);
  if (length <= 0 || length > metadataBytes - prefix)
    throw error(
      `expected metadata of 1 to ${metadataBytes - prefix} bytes, found ${length}`,
    );
  const message = decoding(path, where, () =>
    decodeMessage(bytes.subarray(prefix, prefix + length)),
  );
  if (!VERSIONS_READ.includes(message.version))
    throw new InputUnsupportedError(
      path,
      where,
      `expected metadata version V4 or V5, found V${message.version + 1}; ${REWRITE}`,
    );
  if (bodyBytes !== null && message.bodyBytes !== bodyBytes)
    throw error(
      `expected a body of ${bodyBytes} bytes as declared in the footer, found ${message.bodyBytes}`,
    );
  return message;
}

/** Rejects metadata larger than the limit. @throws InputUnsupportedError */
export function checkMetadataBytes(
  file: Pick<InputFile, "path">,
  where: string,
  bytes: number,
): void {
  checkLimit(file, where, "maxMetadataBytes", "bytes of metadata", bytes);
}

/** Advice for files that softjac cannot read. */
export const REWRITE = "read the file with pyarrow and write it again";

/** Calls `decode` and converts its errors to input errors. @throws InputFormatError, InputUnsupportedError */
export function decoding<T>(path: string, where: string, decode: () => T): T {
  try {
    return decode();
  } catch (cause) {
    if (cause instanceof OverLimit)
      throw new InputUnsupportedError(path, where, cause.message);
    if (!(cause instanceof MalformedFlatbuffer)) throw cause;
    const text = `invalid metadata: ${cause.message}`;
    throw new InputFormatError(path, where, text, { cause });
  }
}
