import {
  footer,
  framed,
  framedBytes,
  type KeyValues,
  type MessageBlock,
  recordBatchMessage,
  schemaMessage,
} from "../arrow/encode-messages.js";
import type { Field } from "../arrow/field.js";
import {
  type JacobianBatchLayout,
  type JacobianBatchShape,
  layoutJacobianBatch,
} from "./jacobian-batch.js";

// The output file. Where every size is known, all of it is placed before the run:
//
//   0            ARROW1 00 00
//   8            schema message, padded to 64
//   …            dictionary messages (copied from the input)
//   …            record batch k: FFFFFFFF | length | metadata, padded so that the body starts on 64 | body
//   …            EOS: FFFFFFFF 00000000
//   …            footer | int32 length | ARROW1

const MAGIC = new TextEncoder().encode("ARROW1");
const EOS_BYTES = 8;
/** Block of a record batch in the footer: a struct of 24 bytes, aligned to 8. */
const FOOTER_BLOCK_BYTES = 24;

export interface JacobianFileHeadSpec {
  fields: Field[];
  metadata: KeyValues;
  /** Dictionaries to copy: their metadata, unframed, and the bytes of their bodies (a multiple of 8). */
  dictionaries: { metadata: Uint8Array; bodyBytes: number }[];
}

/** The part of a file before its first record batch. */
export interface JacobianFileHead {
  schema: Uint8Array;
  dictionaries: MessageBlock[];
  /** Position of the first record batch. */
  end: number;
}

/** The part of a file after its last record batch. */
export interface JacobianFileTail {
  footerStart: number;
  footer: Uint8Array;
  /** Of the whole file. */
  bytes: number;
}

export interface JacobianFileLayout extends JacobianFileHead, JacobianFileTail {
  batches: PositionedBatch[];
}

export interface PositionedBatch extends MessageBlock {
  shape: JacobianBatchShape;
  layout: JacobianBatchLayout;
  bodyStart: number;
}

/** A piece of the file outside the batch bodies. */
export interface Piece {
  offset: number;
  bytes: Uint8Array;
}

/** Places every message, body and the footer. Pure: the same spec gives the same bytes. */
export function layoutJacobianFile(
  spec: JacobianFileHeadSpec,
  shapes: readonly JacobianBatchShape[],
): JacobianFileLayout {
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

/** Record batches of one shape that follow one another. */
export interface UniformBatches {
  shape: JacobianBatchShape;
  count: number;
}

/** Sizes of a file; exact below 2^53 bytes. */
export interface JacobianFileSizes {
  bytes: number;
  largestBodyBytes: number;
}

/** Returns the sizes that layoutJacobianFile would give for the same record batches, in memory that does not depend on their number. */
export function measureJacobianFile(
  spec: JacobianFileHeadSpec,
  batches: Iterable<UniformBatches>,
): JacobianFileSizes {
  const head = layoutHead(spec);
  const empty = layoutTail(spec, head.dictionaries, [], head.end);
  let end = head.end;
  let largestBodyBytes = 0;
  let number = 0;
  for (const { shape, count } of batches) {
    const first = positionBatch(shape, end);
    end = first.bodyStart + first.bodyBytes;
    // From here on each starts on 64 bytes, and takes as much.
    if (count > 1) {
      const next = positionBatch(shape, end);
      end += (count - 1) * (next.metadataBytes + next.bodyBytes);
    }
    largestBodyBytes = Math.max(largestBodyBytes, first.bodyBytes);
    number += count;
  }
  const bytes = empty.bytes + end - head.end + number * FOOTER_BLOCK_BYTES;
  return { bytes, largestBodyBytes };
}

/** Places the schema and the dictionaries. */
export function layoutHead(spec: JacobianFileHeadSpec): JacobianFileHead {
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
  return { schema, dictionaries, end };
}

/** Places a record batch at `offset`. */
export function positionBatch(
  shape: JacobianBatchShape,
  offset: number,
): PositionedBatch {
  const layout = layoutJacobianBatch(shape);
  const { bodyBytes } = layout;
  const message = batchMessage(shape, layout, []);
  const metadataBytes = framedBytes(message, offset);
  const bodyStart = offset + metadataBytes;
  return { offset, metadataBytes, bodyBytes, shape, layout, bodyStart };
}

/** Places the footer behind the batches. */
export function layoutEnd(
  spec: JacobianFileHeadSpec,
  head: JacobianFileHead,
  batches: PositionedBatch[],
): JacobianFileLayout {
  const last = batches.at(-1);
  const end = last ? last.bodyStart + last.bodyBytes : head.end;
  const tail = layoutTail(spec, head.dictionaries, batches, end);
  return { ...head, batches, ...tail };
}

/** Places the footer behind messages that end at `end`. */
export function layoutTail(
  { fields, metadata }: Pick<JacobianFileHeadSpec, "fields" | "metadata">,
  dictionaries: MessageBlock[],
  batches: MessageBlock[],
  end: number,
): JacobianFileTail {
  const footerStart = end + EOS_BYTES;
  const encoded = footer(fields, metadata, dictionaries, batches);
  return {
    footerStart,
    footer: encoded,
    bytes: footerStart + encoded.byteLength + 4 + MAGIC.byteLength,
  };
}

/** A file continues as a stream after the magic and its padding. */
export const STREAM_START = 8;

/** Magic and schema. */
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

/** Returns EOS, footer and closing magic; of a stream EOS alone. */
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

/** Returns the bytes of the same batches as a stream: without the magic, and what follows the end marker. */
export function streamBytes({ footerStart }: JacobianFileTail): number {
  return footerStart - STREAM_START;
}

/** Returns the framed metadata of a batch: `copiedNulls` counts the nulls of each node of the copied columns, `badRows` those of the results. */
export function batchMetadata(
  { shape, layout, offset }: PositionedBatch,
  copiedNulls: number[],
  badRows: number,
): Piece {
  const message = batchMessage(shape, layout, copiedNulls, badRows);
  return { offset, bytes: framed(message, offset) };
}

function batchMessage(
  shape: JacobianBatchShape,
  layout: JacobianBatchLayout,
  copiedNulls: number[],
  badRows = 0,
): Uint8Array {
  const { rows } = shape;
  const results = shape.results.flatMap(({ list, items }) => [
    { length: rows, nullCount: badRows },
    ...(list ? [{ length: items, nullCount: 0 }] : []),
  ]);
  const nodes = [
    ...Array.from({ length: 1 + layout.positions.length }, () => ({
      length: rows,
      nullCount: 0,
    })),
    ...shape.copied.flat().map(({ rows }, k) => ({
      length: rows,
      nullCount: copiedNulls[k] ?? 0,
    })),
    ...results,
  ];
  return recordBatchMessage({
    rows,
    nodes,
    buffers: layout.buffers,
    bodyBytes: layout.bodyBytes,
  });
}
