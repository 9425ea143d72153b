import type { KeptBuffers, KeptNode } from "../arrow/kept-nodes.js";
import {
  isSeparate,
  isView,
  offsetWidth,
  type SourceForm,
} from "../arrow/source-form.js";
import { VIEW_BYTES } from "../arrow/views.js";
import type { ByteRange } from "../io/present-blocks.js";
import type { LogitsFile } from "./logits-file.js";
import { readInput } from "./read-input.js";
import type { LogitsBatch, ValueBuffers } from "./record-batch.js";
import { overlapping, sourcesOf } from "./source-pieces.js";

/** Rows `[from, to)` of a batch. */
interface Rows {
  from: number;
  to: number;
}

/**
 * The bytes of an input that its rows `[rowStart, rowEnd)` stand in, as far as its structure tells: all that a part of a
 * run reads, but for the values that offsets point to.
 */
export function bytesOfRows(
  file: LogitsFile,
  rowStart: number,
  rowEnd: number,
): ByteRange[] {
  const dictionaries = file.dictionaries
    .filter(({ body }) => body === null)
    .map(({ bodyStart, bodyBytes }) => rangeAt(bodyStart, bodyBytes));
  const rows = ofBatches(file, rowStart, rowEnd, (batch, rows) => [
    ...sourcesOf(file).flatMap((source, n) =>
      file.decodedFds[n] === null
        ? sourceBytes(batch.sources[n] as ValueBuffers, source, rows)
        : [],
    ),
    ...file.kept.flatMap((column, k) =>
      column.constant
        ? []
        : keptBytes(batch.kept[k] as KeptBuffers, column, rows),
    ),
  ]);
  return [...dictionaries, ...rows].filter(({ start, end }) => end > start);
}

/**
 * The bytes of the values that offsets of the rows point to. The bytes of the rows must be there.
 * @throws InputFormatError, IoError
 */
export function bytesOfValues(
  file: LogitsFile,
  rowStart: number,
  rowEnd: number,
): ByteRange[] {
  return ofBatches(file, rowStart, rowEnd, (batch, rows) => [
    ...sourcesOf(file).flatMap(({ form, width }, n) => {
      const { offsets, values } = batch.sources[n] as ValueBuffers;
      const bytes = offsetWidth(form);
      if (bytes === 0 || isView(form)) return [];
      const [first, last] = ends(file, offsets, bytes, rows);
      const [start = 0] = values;
      return [{ start: start + first * width, end: start + last * width }];
    }),
    ...file.kept.flatMap(({ offsetBytes, form, constant }, k) => {
      const { offsets, values } = batch.kept[k] as KeptBuffers;
      if (form !== "text" || constant) return [];
      const [first, last] = ends(file, offsets, offsetBytes as 4 | 8, rows);
      return [{ start: values + first, end: values + last }];
    }),
  ]).filter(({ start, end }) => end > start);
}

function ofBatches(
  { batches }: LogitsFile,
  rowStart: number,
  rowEnd: number,
  bytes: (batch: LogitsBatch, rows: Rows) => ByteRange[],
): ByteRange[] {
  return overlapping(batches, rowStart, rowEnd).flatMap((batch) =>
    bytes(batch, {
      from: Math.max(rowStart, batch.rowStart) - batch.rowStart,
      to: Math.min(rowEnd, batch.rowEnd) - batch.rowStart,
    }),
  );
}

function sourceBytes(
  { values, offsets, sizes, valueCount, validity, valueValidity }: ValueBuffers,
  source: { form: SourceForm; width: number; values: number },
  { from, to }: Rows,
): ByteRange[] {
  const { form, width } = source;
  const perOffset = offsetWidth(form);
  const perRow = isSeparate(form) ? 1 : source.values;
  const rows = bitsAt(validity, from, to);
  if (perOffset === 0)
    return [
      ...rows,
      ...values.map((at) =>
        rangeAt(at + from * perRow * width, (to - from) * perRow * width),
      ),
      ...valueValidity.flatMap((at) => bitsAt(at, from * perRow, to * perRow)),
    ];
  return [
    ...rows,
    ...valueValidity.flatMap((at) => bitsAt(at, 0, valueCount)),
    rangeAt(offsets + from * perOffset, (to - from + 1) * perOffset),
    // Where lists have sizes they may stand anywhere among the batch's values.
    ...(isView(form)
      ? [
          rangeAt(sizes + from * perOffset, (to - from) * perOffset),
          ...values.map((at) => rangeAt(at, valueCount * width)),
        ]
      : []),
  ];
}

function keptBytes(
  buffers: KeptBuffers,
  node: KeptNode,
  { from, to }: Rows,
): ByteRange[] {
  const { nullCount, validity, offsets, values, data } = buffers;
  const { bits, offsetBytes, form, fd } = node;
  if (fd !== null) return [];
  const valid = nullCount > 0 ? bitsAt(validity, from, to) : [];
  if (form === "fixed-width") {
    const start = values + Math.floor((from * bits) / 8);
    return [...valid, { start, end: values + Math.ceil((to * bits) / 8) }];
  }
  if (form === "views")
    return [
      ...valid,
      rangeAt(values + from * VIEW_BYTES, (to - from) * VIEW_BYTES),
      ...(data ?? []).map(({ position, bytes }) => rangeAt(position, bytes)),
    ];
  if (form === "text")
    return [
      ...valid,
      rangeAt(offsets + from * offsetBytes, (to - from + 1) * offsetBytes),
    ];
  return allBytes(buffers, node);
}

/** All bytes of a nested node in a batch: which of them some rows need, only its offsets tell. */
function allBytes(buffers: KeptBuffers, node: KeptNode): ByteRange[] {
  const { length, validity, nullCount } = buffers;
  const offsets = (length + 1) * node.offsetBytes;
  return [
    rangeAt(validity, nullCount > 0 ? Math.ceil(length / 8) : 0),
    rangeAt(buffers.offsets, buffers.offsets > 0 ? offsets : 0),
    rangeAt(buffers.sizes, buffers.sizes > 0 ? offsets - node.offsetBytes : 0),
    ...(buffers.data ?? []).map(({ position, bytes }) =>
      rangeAt(position, bytes),
    ),
    rangeAt(
      buffers.values,
      buffers.data ? VIEW_BYTES * length : buffers.valuesBytes,
    ),
    ...buffers.children.flatMap((child, k) =>
      allBytes(child, (node.children[k] ?? node.children[0]) as KeptNode),
    ),
  ];
}

/** The first and the last offset of rows. */
function ends(
  file: LogitsFile,
  offsets: number,
  width: 4 | 8,
  { from, to }: Rows,
): [first: number, last: number] {
  const [first = 0, last = 0] = [from, to].map((row) => {
    const bytes = new Uint8Array(8);
    readInput(file, bytes.subarray(0, width), offsets + row * width);
    const view = new DataView(bytes.buffer);
    return width === 4
      ? view.getInt32(0, true)
      : Number(view.getBigInt64(0, true));
  });
  return [Math.max(0, first), Math.max(0, last)];
}

function rangeAt(start: number, bytes: number): ByteRange {
  return { start, end: start + bytes };
}

/** The bytes of bits `[from, to)` of a bitmap; a place of 0: there is none. */
function bitsAt(place: number, from: number, to: number): ByteRange[] {
  if (place === 0) return [];
  return [
    { start: place + Math.floor(from / 8), end: place + Math.ceil(to / 8) },
  ];
}
