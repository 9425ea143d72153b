import {
  footer,
  framed,
  framedBytes,
  type KeyValues,
  type MessageBlock,
  type RecordBatchMetadata,
  recordBatchMessage,
  schemaMessage,
} from "../arrow/encode-messages.js";
import type { Field } from "../arrow/field.js";
import {
  type JacobianBatchShape,
  layoutJacobianBatch,
} from "./jacobian-batch.js";

// The output file. If all sizes are known, every offset is computed before the run:
//
//   0            ARROW1 00 00
//   8            schema message, padded to 64
//   …            dictionary messages (copied from the input)
//   …            record batch k: FFFFFFFF | length | metadata, padded so that the body starts at a multiple of 64 | body
//   …            EOS: FFFFFFFF 00000000
//   …            footer | int32 length | ARROW1

const MAGIC = new TextEncoder().encode("ARROW1");
/** The bytes of a file from here to the end-of-stream marker are a valid Arrow stream. */
export const STREAM_START = 8;
const EOS_BYTES = 8;
/** Size of a Block struct in the footer, one per record batch. */
const FOOTER_BLOCK_BYTES = 24;

export interface JacobianFileHeadSpec {
  fields: Field[];
  metadata: KeyValues;
  /** Dictionaries to copy: unframed metadata, and size of the body (a multiple of 8). */
  dictionaries: { metadata: Uint8Array; bodyBytes: number }[];
}

export type JacobianFileLayout = ReturnType<typeof layoutJacobianFile>;
/** The part of a file before its first record batch. */
export type JacobianFileHead = ReturnType<typeof layoutHead>;
export type PositionedBatch = ReturnType<typeof positionBatch>;

/** Bytes at an offset of the file. */
export interface Piece {
  offset: number;
  bytes: Uint8Array;
}

/** Computes the offsets of all messages, bodies and the footer. Pure: the same spec gives the same bytes. */
export function layoutJacobianFile(
  spec: JacobianFileHeadSpec,
  shapes: readonly JacobianBatchShape[],
) {
  const head = layoutHead(spec);
  const batches: PositionedBatch[] = [];
  let end = head.end;
  for (const shape of shapes) {
    const batch = positionBatch(shape, end);
    batches.push(batch);
    end = batch.bodyStart + batch.bodyBytes;
  }
  const tail = encodeTail(spec, head.dictionaries, batches);
  return { ...head, batches, tail, bytes: end + tail.byteLength };
}

/** Consecutive record batches of the same shape. */
export interface UniformBatches {
  shape: JacobianBatchShape;
  count: number;
}

/** Returns the sizes of `layoutJacobianFile` in constant memory; exact below 2^53 bytes. */
export function measureJacobianFile(
  spec: JacobianFileHeadSpec,
  batches: Iterable<UniformBatches>,
) {
  const head = layoutHead(spec);
  const empty = encodeTail(spec, head.dictionaries, []);
  let end = head.end;
  let largestBodyBytes = 0;
  let batchCount = 0;
  for (const { shape, count } of batches) {
    const first = positionBatch(shape, end);
    end = first.bodyStart + first.bodyBytes;
    // All following ones start at a multiple of 64 and have equal sizes.
    if (count > 1) {
      const next = positionBatch(shape, end);
      end += (count - 1) * (next.metadataBytes + next.bodyBytes);
    }
    largestBodyBytes = Math.max(largestBodyBytes, first.bodyBytes);
    batchCount += count;
  }
  const bytes = end + empty.byteLength + batchCount * FOOTER_BLOCK_BYTES;
  return { bytes, largestBodyBytes };
}

/** Encodes the schema and computes the offsets of the dictionaries. */
export function layoutHead(spec: JacobianFileHeadSpec) {
  const message = schemaMessage(spec.fields, spec.metadata);
  const schema = framed(message, STREAM_START);
  const start = new Uint8Array(STREAM_START + schema.byteLength);
  start.set(MAGIC);
  start.set(schema, STREAM_START);
  let end = start.byteLength;
  const dictionaries = spec.dictionaries.map((source) => {
    const block = {
      offset: end,
      metadataBytes: framedBytes(source.metadata, end),
      bodyBytes: source.bodyBytes,
    };
    end += block.metadataBytes + block.bodyBytes;
    return block;
  });
  return {
    /** Magic and schema. */
    start,
    dictionaries,
    /** Offset of the first record batch. */
    end,
  };
}

/** Returns a record batch at `offset`. */
export function positionBatch(shape: JacobianBatchShape, offset: number) {
  const layout = layoutJacobianBatch(shape);
  const { bodyBytes } = layout;
  const message = recordBatchMessage(batchFields({ shape, layout }));
  const metadataBytes = framedBytes(message, offset);
  const bodyStart = offset + metadataBytes;
  return { offset, metadataBytes, bodyBytes, shape, layout, bodyStart };
}

/** Returns the bytes after the last record batch: end-of-stream marker, footer and closing magic; for a stream the marker alone. */
export function encodeTail(
  { fields, metadata }: Pick<JacobianFileHeadSpec, "fields" | "metadata">,
  dictionaries: MessageBlock[],
  batches: MessageBlock[],
  isStream = false,
): Uint8Array {
  const encoded = footer(fields, metadata, dictionaries, batches);
  const end = EOS_BYTES + encoded.byteLength;
  const tail = new Uint8Array(end + 4 + MAGIC.byteLength);
  tail.fill(0xff, 0, 4);
  tail.set(encoded, EOS_BYTES);
  new DataView(tail.buffer).setInt32(end, encoded.byteLength, true);
  tail.set(MAGIC, end + 4);
  return isStream ? tail.subarray(0, EOS_BYTES) : tail;
}

/** Null counts of a record batch: of each node of the copied columns, and of each result. */
export interface BatchNulls {
  copied: number[];
  results: number;
}

const NO_NULLS = { copied: [], results: 0 };

/** Returns the framed metadata of a batch. */
export function batchMetadata(
  batch: PositionedBatch,
  nulls: BatchNulls = NO_NULLS,
): Piece {
  const { offset } = batch;
  const message = recordBatchMessage(batchFields(batch, nulls));
  return { offset, bytes: framed(message, offset) };
}

/** Returns the metadata of a batch. */
export function batchFields(
  { shape, layout }: Pick<PositionedBatch, "shape" | "layout">,
  nulls: BatchNulls = NO_NULLS,
): RecordBatchMetadata {
  const { rows } = shape;
  const { buffers, bodyBytes } = layout;
  const node = (length: number, nullCount = 0) => ({ length, nullCount });
  const nodes = [
    ...Array.from({ length: 1 + layout.positions.length }, () => node(rows)),
    ...shape.copied.flat().map(({ rows }, k) => node(rows, nulls.copied[k])),
    ...shape.results.flatMap(({ list, items }) => [
      node(rows, nulls.results),
      ...(list ? [node(items)] : []),
    ]),
  ];
  return { rows, nodes, buffers, bodyBytes };
}
