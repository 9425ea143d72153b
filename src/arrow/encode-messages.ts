import { Block } from "apache-arrow/fb/block";
import { BodyCompression } from "apache-arrow/fb/body-compression";
import { BodyCompressionMethod } from "apache-arrow/fb/body-compression-method";
import { Buffer as BufferRegion } from "apache-arrow/fb/buffer";
import { CompressionType } from "apache-arrow/fb/compression-type";
import { Date as ArrowDate } from "apache-arrow/fb/date";
import { Decimal } from "apache-arrow/fb/decimal";
import { DictionaryBatch } from "apache-arrow/fb/dictionary-batch";
import { DictionaryEncoding } from "apache-arrow/fb/dictionary-encoding";
import { Duration } from "apache-arrow/fb/duration";
import { Field as FieldTable } from "apache-arrow/fb/field";
import { FieldNode } from "apache-arrow/fb/field-node";
import { FixedSizeBinary } from "apache-arrow/fb/fixed-size-binary";
import { FixedSizeList } from "apache-arrow/fb/fixed-size-list";
import { FloatingPoint } from "apache-arrow/fb/floating-point";
import { Footer } from "apache-arrow/fb/footer";
import { Int } from "apache-arrow/fb/int";
import { Interval } from "apache-arrow/fb/interval";
import { KeyValue } from "apache-arrow/fb/key-value";
import { Message } from "apache-arrow/fb/message";
import { MessageHeader } from "apache-arrow/fb/message-header";
import { MetadataVersion } from "apache-arrow/fb/metadata-version";
import { RecordBatch } from "apache-arrow/fb/record-batch";
import { Schema } from "apache-arrow/fb/schema";
import { Time } from "apache-arrow/fb/time";
import { Timestamp } from "apache-arrow/fb/timestamp";
import { Type } from "apache-arrow/fb/type";
import { Builder } from "flatbuffers";
import { InternalError } from "../errors.js";
import type { ArrowType, Field } from "./field.js";

// Arrow's metadata tables, built with the classes that flatbuffers generated for apache-arrow.

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
  DictionaryBatch.startDictionaryBatch(builder);
  DictionaryBatch.addId(builder, BigInt(id));
  DictionaryBatch.addData(builder, data);
  DictionaryBatch.addIsDelta(builder, isDelta);
  const header = DictionaryBatch.endDictionaryBatch(builder);
  const { DictionaryBatch: type } = MessageHeader;
  return finishMessage(builder, type, header, batch.bodyBytes);
}

/** Encodes the metadata of a record batch. Its length depends only on the numbers of nodes and buffers (if rows > 0). */
export function recordBatchMessage(batch: RecordBatchMetadata): Uint8Array {
  const builder = new Builder(1024);
  const header = encodeRecordBatch(builder, batch);
  const { RecordBatch: type } = MessageHeader;
  return finishMessage(builder, type, header, batch.bodyBytes);
}

export function footer(
  fields: Field[],
  metadata: KeyValues,
  dictionaries: MessageBlock[],
  recordBatches: MessageBlock[],
): Uint8Array {
  const builder = new Builder(1024);
  const schema = encodeSchema(builder, fields, metadata);
  Footer.startDictionariesVector(builder, dictionaries.length);
  const dictionaryBlocks = endBlocks(builder, dictionaries);
  Footer.startRecordBatchesVector(builder, recordBatches.length);
  const recordBatchBlocks = endBlocks(builder, recordBatches);
  Footer.startFooter(builder);
  Footer.addVersion(builder, MetadataVersion.V5);
  Footer.addSchema(builder, schema);
  Footer.addDictionaries(builder, dictionaryBlocks);
  Footer.addRecordBatches(builder, recordBatchBlocks);
  Footer.finishFooterBuffer(builder, Footer.endFooter(builder));
  return builder.asUint8Array();
}

function endBlocks(builder: Builder, blocks: MessageBlock[]): number {
  for (const { offset, metadataBytes, bodyBytes } of blocks.toReversed())
    Block.createBlock(
      builder,
      BigInt(offset),
      metadataBytes,
      BigInt(bodyBytes),
    );
  return builder.endVector();
}

function finishMessage(
  builder: Builder,
  type: MessageHeader,
  header: number,
  bodyBytes: number,
): Uint8Array {
  Message.startMessage(builder);
  Message.addVersion(builder, MetadataVersion.V5);
  Message.addHeaderType(builder, type);
  Message.addHeader(builder, header);
  Message.addBodyLength(builder, BigInt(bodyBytes));
  Message.finishMessageBuffer(builder, Message.endMessage(builder));
  return builder.asUint8Array();
}

function encodeRecordBatch(
  builder: Builder,
  { rows, nodes, buffers, compression }: RecordBatchMetadata,
): number {
  RecordBatch.startBuffersVector(builder, buffers.length);
  for (const { offset, length } of buffers.toReversed())
    BufferRegion.createBuffer(builder, BigInt(offset), BigInt(length));
  const buffersVector = builder.endVector();
  RecordBatch.startNodesVector(builder, nodes.length);
  for (const { length, nullCount } of nodes.toReversed())
    FieldNode.createFieldNode(builder, BigInt(length), BigInt(nullCount));
  const nodesVector = builder.endVector();
  const method = compression
    ? BodyCompression.createBodyCompression(
        builder,
        CompressionType[compression],
        BodyCompressionMethod.BUFFER,
      )
    : 0;
  RecordBatch.startRecordBatch(builder);
  RecordBatch.addLength(builder, BigInt(rows));
  RecordBatch.addNodes(builder, nodesVector);
  RecordBatch.addBuffers(builder, buffersVector);
  if (method !== 0) RecordBatch.addCompression(builder, method);
  return RecordBatch.endRecordBatch(builder);
}

function encodeSchema(
  builder: Builder,
  fields: Field[],
  metadata: KeyValues,
): number {
  const children = fields.map((field) => encodeField(builder, field));
  const fieldsVector = Schema.createFieldsVector(builder, children);
  const pairs = encodeKeyValues(builder, metadata);
  Schema.startSchema(builder);
  Schema.addFields(builder, fieldsVector);
  if (pairs) Schema.addCustomMetadata(builder, pairs);
  return Schema.endSchema(builder);
}

function encodeField(builder: Builder, field: Field): number {
  const name = builder.createString(field.name);
  const type = encodeType(builder, field.type);
  const dictionary = encodeDictionary(builder, field);
  const children = FieldTable.createChildrenVector(
    builder,
    field.children.map((child) => encodeField(builder, child)),
  );
  const metadata = encodeKeyValues(builder, field.metadata);
  const { kind } = field.type;
  FieldTable.startField(builder);
  FieldTable.addName(builder, name);
  FieldTable.addNullable(builder, field.nullable);
  FieldTable.addTypeType(
    builder,
    Type[(kind === "Struct" ? "Struct_" : kind) as keyof typeof Type],
  );
  FieldTable.addType(builder, type);
  if (dictionary) FieldTable.addDictionary(builder, dictionary);
  FieldTable.addChildren(builder, children);
  if (metadata) FieldTable.addCustomMetadata(builder, metadata);
  return FieldTable.endField(builder);
}

function encodeDictionary(builder: Builder, { dictionary }: Field): number {
  if (!dictionary) return 0;
  const indexType = encodeType(builder, dictionary.indexType);
  DictionaryEncoding.startDictionaryEncoding(builder);
  DictionaryEncoding.addId(builder, BigInt(dictionary.id));
  DictionaryEncoding.addIndexType(builder, indexType);
  DictionaryEncoding.addIsOrdered(builder, dictionary.ordered);
  return DictionaryEncoding.endDictionaryEncoding(builder);
}

function encodeKeyValues(builder: Builder, pairs: KeyValues): number {
  if (pairs.length === 0) return 0;
  const offsets = pairs.map(([key, value]) => {
    const k = builder.createString(key);
    const v = builder.createString(value);
    return KeyValue.createKeyValue(builder, k, v);
  });
  return Schema.createCustomMetadataVector(builder, offsets);
}

/** Encodes a type that occurs in outputs: of a result, or of a column that can be copied. */
function encodeType(builder: Builder, type: ArrowType): number {
  switch (type.kind) {
    case "Int":
      return Int.createInt(builder, type.bitWidth, type.signed);
    case "FloatingPoint":
      return FloatingPoint.createFloatingPoint(builder, type.precision);
    case "FixedSizeList":
      return FixedSizeList.createFixedSizeList(builder, type.listSize);
    case "FixedSizeBinary":
      return FixedSizeBinary.createFixedSizeBinary(builder, type.byteWidth);
    case "Decimal": {
      const { precision, scale, bitWidth } = type;
      return Decimal.createDecimal(builder, precision, scale, bitWidth);
    }
    case "Date":
      return ArrowDate.createDate(builder, type.unit);
    case "Time":
      return Time.createTime(builder, type.unit, type.bitWidth);
    case "Timestamp": {
      const { unit, timezone } = type;
      const zone = timezone === null ? 0 : builder.createString(timezone);
      return Timestamp.createTimestamp(builder, unit, zone);
    }
    case "Interval":
      return Interval.createInterval(builder, type.unit);
    case "Duration":
      return Duration.createDuration(builder, type.unit);
    case "Map":
    case "Union":
    case "RunEndEncoded":
    case "Utf8View":
    case "BinaryView":
    case "ListView":
    case "LargeListView":
      throw new InternalError(`no output column has type ${type.kind}`);
    default:
      // Types without parameters.
      builder.startObject(0);
      return builder.endObject();
  }
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
