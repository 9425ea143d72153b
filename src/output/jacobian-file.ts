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
/** The part of a file after its last record batch. */
type JacobianFileTail = ReturnType<typeof layoutTail>;
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
  return layoutEnd(spec, head, batches);
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
  const empty = layoutTail(spec, head.dictionaries, [], head.end);
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
  const bytes = empty.bytes + end - head.end + batchCount * FOOTER_BLOCK_BYTES;
  return { bytes, largestBodyBytes };
}

/** Encodes the schema and computes the offsets of the dictionaries. */
export function layoutHead(spec: JacobianFileHeadSpec) {
  const schema = framed(schemaMessage(spec.fields, spec.metadata), 8);
  let end = 8 + schema.byteLength;
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
    schema,
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

/** Appends the footer after the batches. */
export function layoutEnd(
  spec: JacobianFileHeadSpec,
  head: JacobianFileHead,
  batches: PositionedBatch[],
) {
  const last = batches.at(-1);
  const end = last ? last.bodyStart + last.bodyBytes : head.end;
  const tail = layoutTail(spec, head.dictionaries, batches, end);
  return { ...head, batches, ...tail };
}

/** Encodes the footer for messages that end at `end`. */
export function layoutTail(
  { fields, metadata }: Pick<JacobianFileHeadSpec, "fields" | "metadata">,
  dictionaries: MessageBlock[],
  batches: MessageBlock[],
  end: number,
) {
  const footerStart = end + EOS_BYTES;
  const encoded = footer(fields, metadata, dictionaries, batches);
  return {
    footerStart,
    footer: encoded,
    /** Size of the whole file. */
    bytes: footerStart + encoded.byteLength + 4 + MAGIC.byteLength,
  };
}

/** The bytes of a file from here to the end-of-stream marker are a valid Arrow stream. */
export const STREAM_START = 8;

/** Returns magic and schema. */
export function headPiece({ schema }: JacobianFileHead): Piece {
  const bytes = new Uint8Array(STREAM_START + schema.byteLength);
  bytes.set(magic());
  bytes.set(schema, STREAM_START);
  return { offset: 0, bytes };
}

/** Returns the first bytes of a file, up to STREAM_START. */
export function magic(): Uint8Array {
  const bytes = new Uint8Array(STREAM_START);
  bytes.set(MAGIC);
  return bytes;
}

/** Returns the end-of-stream marker, footer and closing magic; for a stream the marker alone. */
export function tailPiece(layout: JacobianFileTail, isStream = false): Piece {
  const tail = new Uint8Array(layout.bytes - layout.footerStart + EOS_BYTES);
  tail.fill(0xff, 0, 4);
  tail.set(layout.footer, EOS_BYTES);
  new DataView(tail.buffer).setInt32(
    EOS_BYTES + layout.footer.byteLength,
    layout.footer.byteLength,
    true,
  );
  tail.set(MAGIC, tail.byteLength - MAGIC.byteLength);
  const bytes = isStream ? tail.subarray(0, EOS_BYTES) : tail;
  return { offset: layout.footerStart - EOS_BYTES, bytes };
}

/** Returns the size of the output as a stream: without magic and footer. */
export function streamBytes({ footerStart }: JacobianFileTail): number {
  return footerStart - STREAM_START;
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
