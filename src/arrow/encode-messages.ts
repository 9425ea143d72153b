import { CompressionType } from "apache-arrow/fb/compression-type";
import { MessageHeader } from "apache-arrow/fb/message-header";
import { MetadataVersion } from "apache-arrow/fb/metadata-version";
import { Type } from "apache-arrow/fb/type";
import { Builder } from "flatbuffers";
import { InternalError } from "../errors.js";
import { type ArrowType, type Field, TYPE_PARAMETERS } from "./field.js";

// Arrow's metadata tables (Schema.fbs, Message.fbs, File.fbs).

export type KeyValues = [key: string, value: string][];

/** Buffer in a message body, in bytes; `offset` counts from the start of the body. */
export interface BufferRange {
  offset: number;
  length: number;
}

/** Message as the footer lists it, in bytes; `metadataBytes` include prefix and padding. */
export interface MessageBlock {
  offset: number;
  metadataBytes: number;
  bodyBytes: number;
}

export interface RecordBatchMetadata {
  rows: number;
  nodes: { length: number; nullCount: number }[];
  buffers: BufferRange[];
  bodyBytes: number;
  /** Compression of each buffer. */
  compression?: "LZ4_FRAME" | "ZSTD" | null;
}

export function schemaMessage(
  fields: Field[],
  metadata: KeyValues,
): Uint8Array {
  const builder = new Builder(1024);
  const schema = encodeSchema(builder, fields, metadata);
  return finishMessage(builder, MessageHeader.Schema, schema, 0);
}

/** Encodes the metadata of a dictionary batch; a delta appends to the values of earlier batches. */
export function dictionaryMessage(
  id: number,
  isDelta: boolean,
  batch: RecordBatchMetadata,
): Uint8Array {
  const builder = new Builder(1024);
  const data = encodeRecordBatch(builder, batch);
  const header = table(builder, int(8, id), data, int(1, +isDelta));
  const { DictionaryBatch } = MessageHeader;
  return finishMessage(builder, DictionaryBatch, header, batch.bodyBytes);
}

/** Encodes the metadata of a record batch. Its length depends only on the numbers of nodes and buffers (if rows > 0). */
export function recordBatchMessage(batch: RecordBatchMetadata): Uint8Array {
  const builder = new Builder(1024);
  const header = encodeRecordBatch(builder, batch);
  const { RecordBatch } = MessageHeader;
  return finishMessage(builder, RecordBatch, header, batch.bodyBytes);
}

export function footer(
  fields: Field[],
  metadata: KeyValues,
  dictionaries: MessageBlock[],
  recordBatches: MessageBlock[],
): Uint8Array {
  const builder = new Builder(1024);
  const schema = encodeSchema(builder, fields, metadata);
  const before = encodeBlocks(builder, dictionaries);
  const blocks = encodeBlocks(builder, recordBatches);
  const version = int(2, MetadataVersion.V5);
  builder.finish(table(builder, version, schema, before, blocks));
  return builder.asUint8Array();
}

function encodeBlocks(builder: Builder, blocks: MessageBlock[]): number {
  // The second number is an int32 with 4 bytes of padding.
  const numbers = blocks.map(({ offset, metadataBytes, bodyBytes }) => [
    offset,
    metadataBytes,
    bodyBytes,
  ]);
  return structs(builder, 3, numbers);
}

function finishMessage(
  builder: Builder,
  type: MessageHeader,
  header: number,
  bodyBytes: number,
): Uint8Array {
  const version = int(2, MetadataVersion.V5);
  builder.finish(
    table(builder, version, int(1, type), header, int(8, bodyBytes)),
  );
  return builder.asUint8Array();
}

function encodeRecordBatch(
  builder: Builder,
  { rows, nodes, buffers, compression }: RecordBatchMetadata,
): number {
  const regions = buffers.map(({ offset, length }) => [offset, length]);
  const buffersVector = structs(builder, 2, regions);
  const counts = nodes.map(({ length, nullCount }) => [length, nullCount]);
  const nodesVector = structs(builder, 2, counts);
  const method = compression
    ? table(builder, int(1, CompressionType[compression]))
    : 0;
  return table(builder, int(8, rows), nodesVector, buffersVector, method);
}

function encodeSchema(
  builder: Builder,
  fields: Field[],
  metadata: KeyValues,
): number {
  const fieldsVector = encodeFields(builder, fields);
  const pairs = encodeKeyValues(builder, metadata);
  const littleEndian = int(2, 0);
  return table(builder, littleEndian, fieldsVector, pairs);
}

function encodeFields(builder: Builder, fields: Field[]): number {
  return tables(
    builder,
    fields.map((field) => encodeField(builder, field)),
  );
}

function encodeField(builder: Builder, field: Field): number {
  const { kind } = field.type;
  const number = Type[kind === "Struct" ? "Struct_" : kind];
  const name = builder.createString(field.name);
  const type = encodeType(builder, field.type);
  const dictionary = encodeDictionary(builder, field);
  const children = encodeFields(builder, field.children);
  const pairs = encodeKeyValues(builder, field.metadata);
  const flags = [int(1, +field.nullable), int(1, number)];
  return table(builder, name, ...flags, type, dictionary, children, pairs);
}

function encodeDictionary(builder: Builder, { dictionary }: Field): number {
  if (!dictionary) return 0;
  const { id, indexType, ordered } = dictionary;
  const type = encodeType(builder, indexType);
  return table(builder, int(8, id), type, int(1, +ordered));
}

function encodeKeyValues(builder: Builder, pairs: KeyValues): number {
  if (pairs.length === 0) return 0;
  const encoded = pairs.map(([key, value]) => {
    const k = builder.createString(key);
    return table(builder, k, builder.createString(value));
  });
  return tables(builder, encoded);
}

/** Encodes a type that occurs in outputs: of a result, or of a column that can be copied. */
function encodeType(builder: Builder, type: ArrowType): number {
  if (/View$|^(?:Map|Union|RunEndEncoded)$/.test(type.kind))
    throw new InternalError(`no output column has type ${type.kind}`);
  const parameters = TYPE_PARAMETERS[type.kind] ?? [];
  const values = type as unknown as Record<string, number | boolean>;
  const fields: (Integer | number)[] = parameters.map(
    ([name, bytes, missing]) => int(bytes, Number(values[name]), missing),
  );
  if (type.kind === "Timestamp" && type.timezone !== null)
    fields.push(builder.createString(type.timezone));
  return table(builder, ...fields);
}

/** An integer of a table. The value `absent`, which readers assume for a field that is missing, is not written. */
interface Integer {
  bytes: 1 | 2 | 4 | 8;
  value: number;
  absent: number;
}

function int(bytes: Integer["bytes"], value: number, absent = 0): Integer {
  return { bytes, value, absent };
}

/** Adds a table of the given fields, in the order of the .fbs file: integers, and offsets (0 if missing). Returns its offset. */
function table(builder: Builder, ...fields: (Integer | number)[]): number {
  builder.startObject(fields.length);
  for (const [slot, field] of fields.entries()) {
    if (typeof field === "number") {
      builder.addFieldOffset(slot, field, 0);
      continue;
    }
    const { bytes, value, absent } = field;
    if (bytes === 1) builder.addFieldInt8(slot, value, absent);
    else if (bytes === 2) builder.addFieldInt16(slot, value, absent);
    else if (bytes === 4) builder.addFieldInt32(slot, value, absent);
    else builder.addFieldInt64(slot, BigInt(value), BigInt(absent));
  }
  return builder.endObject();
}

/** Adds a vector of tables. */
function tables(builder: Builder, offsets: readonly number[]): number {
  builder.startVector(4, offsets.length, 4);
  for (const offset of offsets.toReversed()) builder.addOffset(offset);
  return builder.endVector();
}

/** Adds a vector of structs, of `words` int64 each. */
function structs(builder: Builder, words: number, items: number[][]): number {
  builder.startVector(8 * words, items.length, 8);
  for (const item of items.toReversed()) {
    builder.prep(8, 8 * words);
    for (const word of item.toReversed()) builder.writeInt64(BigInt(word));
  }
  return builder.endVector();
}

/**
 * Returns a message: FFFFFFFF | int32 length | metadata | zeros up to a multiple of 64 from the start of the file.
 * @param before number of bytes of the file before the message
 */
export function framed(metadata: Uint8Array, before: number): Uint8Array {
  const bytes = new Uint8Array(framedBytes(metadata, before));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0xffffffff, true);
  view.setInt32(4, bytes.byteLength - 8, true);
  bytes.set(metadata, 8);
  return bytes;
}

export function framedBytes(
  { byteLength }: Uint8Array,
  before: number,
): number {
  return aligned(before + 8 + byteLength) - before;
}

/** Rounds up to a multiple of 64, the alignment that the format recommends. */
export function aligned(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}
