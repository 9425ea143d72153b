import { Block } from "apache-arrow/fb/block";
import { BodyCompression } from "apache-arrow/fb/body-compression";
import { BodyCompressionMethod } from "apache-arrow/fb/body-compression-method";
import { Buffer as BufferRegion } from "apache-arrow/fb/buffer";
import { CompressionType } from "apache-arrow/fb/compression-type";
import { DictionaryBatch } from "apache-arrow/fb/dictionary-batch";
import { FieldNode } from "apache-arrow/fb/field-node";
import { Footer } from "apache-arrow/fb/footer";
import { Message } from "apache-arrow/fb/message";
import { MessageHeader } from "apache-arrow/fb/message-header";
import { MetadataVersion } from "apache-arrow/fb/metadata-version";
import { RecordBatch } from "apache-arrow/fb/record-batch";
import { Builder } from "flatbuffers";
import type { Field } from "../arrow/field.js";
import { encodeSchema } from "./arrow-encode-schema.js";

// Arrow's metadata tables, built with the classes that flatbuffers generated for apache-arrow.

export type KeyValues = [key: string, value: string][];

/** `offset` from the start of the body; both in bytes. */
export interface BufferPlace {
  offset: number;
  length: number;
}

/** A message of the file, as the footer lists it; all in bytes, metadataBytes with prefix and padding. */
export interface BlockPlace {
  offset: number;
  metadataBytes: number;
  bodyBytes: number;
}

export interface RecordBatchMetadata {
  rows: number;
  nodes: { length: number; nullCount: number }[];
  buffers: BufferPlace[];
  bodyBytes: number;
  /** How its buffers are compressed, each for itself. */
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

/** The dictionary of the columns with its `id`; `isDelta` says that it adds to the one before. */
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
  return finishMessage(
    builder,
    MessageHeader.DictionaryBatch,
    header,
    batch.bodyBytes,
  );
}

/** Its length depends on the numbers of nodes and buffers alone, never on their values (rows > 0). */
export function recordBatchMessage(batch: RecordBatchMetadata): Uint8Array {
  const builder = new Builder(1024);
  const header = encodeRecordBatch(builder, batch);
  return finishMessage(
    builder,
    MessageHeader.RecordBatch,
    header,
    batch.bodyBytes,
  );
}

function encodeRecordBatch(
  builder: Builder,
  batch: RecordBatchMetadata,
): number {
  RecordBatch.startBuffersVector(builder, batch.buffers.length);
  for (const { offset, length } of batch.buffers.toReversed())
    BufferRegion.createBuffer(builder, BigInt(offset), BigInt(length));
  const buffers = builder.endVector();
  RecordBatch.startNodesVector(builder, batch.nodes.length);
  for (const { length, nullCount } of batch.nodes.toReversed())
    FieldNode.createFieldNode(builder, BigInt(length), BigInt(nullCount));
  const nodes = builder.endVector();
  const { compression } = batch;
  const method = compression
    ? BodyCompression.createBodyCompression(
        builder,
        CompressionType[compression],
        BodyCompressionMethod.BUFFER,
      )
    : 0;
  RecordBatch.startRecordBatch(builder);
  RecordBatch.addLength(builder, BigInt(batch.rows));
  RecordBatch.addNodes(builder, nodes);
  RecordBatch.addBuffers(builder, buffers);
  if (method !== 0) RecordBatch.addCompression(builder, method);
  return RecordBatch.endRecordBatch(builder);
}

export function footer(
  fields: Field[],
  metadata: KeyValues,
  dictionaries: BlockPlace[],
  recordBatches: BlockPlace[],
): Uint8Array {
  const builder = new Builder(1024);
  const schema = encodeSchema(builder, fields, metadata);
  Footer.startDictionariesVector(builder, dictionaries.length);
  addBlocks(builder, dictionaries);
  const dictionaryBlocks = builder.endVector();
  Footer.startRecordBatchesVector(builder, recordBatches.length);
  addBlocks(builder, recordBatches);
  const recordBatchBlocks = builder.endVector();
  Footer.startFooter(builder);
  Footer.addVersion(builder, MetadataVersion.V5);
  Footer.addSchema(builder, schema);
  Footer.addDictionaries(builder, dictionaryBlocks);
  Footer.addRecordBatches(builder, recordBatchBlocks);
  Footer.finishFooterBuffer(builder, Footer.endFooter(builder));
  return builder.asUint8Array();
}

function addBlocks(builder: Builder, blocks: BlockPlace[]): void {
  for (const { offset, metadataBytes, bodyBytes } of blocks.toReversed())
    Block.createBlock(
      builder,
      BigInt(offset),
      metadataBytes,
      BigInt(bodyBytes),
    );
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
