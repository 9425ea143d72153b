import { isSeparate, offsetWidth } from "../arrow/column-storage.js";
import type { CopiedBuffers, CopiedNode } from "../arrow/copied-nodes.js";
import { integerAt, viewOf } from "../arrow/read-window.js";
import { VIEW_BYTES } from "../arrow/views.js";
import {
  BLOCK_BYTES,
  type ByteRange,
  MissingRangesError,
} from "../io/fetched-ranges.js";
import { endOf, messageAt } from "./arrow-stream.js";
import { copiedPieces } from "./copied-pieces.js";
import { type LogitsFile, sourceRanges } from "./logits-file.js";
import { type InputFile, inputReader } from "./read-input.js";

/** Range of the offsets of lists or strings, and the location of their values. */
interface Offsets extends ByteRange {
  /** Bytes per offset. */
  width: number;
  /** Position that offset 0 points to, and bytes per value. */
  values: number;
  valueBytes: number;
}

/** Returns the byte ranges that rows `[rowStart, rowEnd)` need, except values that offsets point to (see bytesOfValues). */
export function bytesOfRows(
  file: LogitsFile,
  rowStart: number,
  rowEnd: number,
): ByteRange[] {
  return Array.from(rangesOf(file, rowStart, rowEnd)).filter(isNotEmpty);
}

/**
 * Returns the byte ranges of the values that the rows' offsets point to. The ranges of bytesOfRows must be fetched already.
 * @throws InputFormatError, IoError
 */
export function bytesOfValues(
  file: LogitsFile,
  rowStart: number,
  rowEnd: number,
): ByteRange[] {
  const read = inputReader(file);
  return Array.from(rangesOf(file, rowStart, rowEnd), (range) => {
    if (!("width" in range)) return { start: 0, end: 0 };
    const { start, end, width, values, valueBytes } = range;
    const [first = 0, last = 0] = [start, end - width].map((at) =>
      Math.max(0, integerAt(viewOf(read(at, width)), 0, width)),
    );
    return {
      start: values + first * valueBytes,
      end: values + last * valueBytes,
    };
  }).filter(isNotEmpty);
}

function isNotEmpty({ start, end }: ByteRange): boolean {
  return end > start;
}

function* rangesOf(
  file: LogitsFile,
  rowStart: number,
  rowEnd: number,
): Generator<ByteRange | Offsets> {
  for (const { body, bodyStart, bodyBytes } of file.dictionaries)
    if (body === null) yield rangeAt(bodyStart, bodyBytes);
  const ranges = sourceRanges(file, rowStart, rowEnd);
  for (const [n, source] of file.sources.entries()) {
    const { storage, width: valueBytes, values, fd } = source;
    if (fd !== null) continue;
    const width = offsetWidth(storage);
    const perRow = isSeparate(storage) ? 1 : values;
    for (const range of ranges[n] ?? []) {
      const { firstRow, validity, valueValidity, valueCount } = range;
      const rows = range.rowEnd - range.rowStart;
      const first = width > 0 ? 0 : firstRow * perRow;
      const last = width > 0 ? valueCount : first + rows * perRow;
      yield* bitRange(validity, 1, firstRow, firstRow + rows);
      for (const bits of valueValidity) yield* bitRange(bits, 1, first, last);
      for (const values of range.values)
        yield width > 0
          ? {
              ...rangeAt(range.offsets, (rows + 1) * width),
              width,
              values,
              valueBytes,
            }
          : rangeAt(values, rows * perRow * valueBytes);
    }
  }
  for (const [k, column] of file.copied.entries())
    if (!column.constant)
      for (const piece of copiedPieces(file, k, rowStart, rowEnd)) {
        const { buffers, from, to } = piece;
        if (buffers) yield* nodeRanges(column, buffers, from, to, false);
      }
}

/** Yields the byte ranges of values `[from, to)` of a node. Lists are taken whole: only their offsets state what is needed. */
function* nodeRanges(
  node: CopiedNode,
  buffers: CopiedBuffers,
  from: number,
  to: number,
  isNested: boolean,
): Generator<ByteRange | Offsets> {
  const { form, fd, bits, offsetBytes: width, listSize } = node;
  const { validity, nullCount, offsets, sizes, values, valuesBytes } = buffers;
  if (fd !== null) return;
  if (nullCount > 0) yield* bitRange(validity, 1, from, to);
  yield* bitRange(sizes, 8 * width, from, to);
  const [range] = bitRange(offsets, 8 * width, from, to + 1);
  if (range && form === "text" && !isNested)
    yield { ...range, width, values, valueBytes: 1 };
  else if (range) yield range;
  if (form === "text" && isNested) yield rangeAt(values, valuesBytes);
  else if (form !== "text")
    yield* bitRange(values, form === "views" ? 8 * VIEW_BYTES : bits, from, to);
  for (const { position, bytes } of buffers.data ?? [])
    yield rangeAt(position, bytes);
  const perValue = { struct: 1, "fixed-size-list": listSize }[form as string];
  for (const [k, child] of buffers.children.entries()) {
    const below = node.children[k] ?? node.children[0];
    if (!below) continue;
    const first = perValue === undefined ? 0 : from * perValue;
    const last = perValue === undefined ? child.length : to * perValue;
    yield* nodeRanges(below, child, first, last, true);
  }
}

function rangeAt(start: number, bytes: number): ByteRange {
  return { start, end: start + bytes };
}

/** Returns the byte range of values `[from, to)` of `bits` bits each; none if position is 0 (an absent buffer). */
function bitRange(
  position: number,
  bits: number,
  from: number,
  to: number,
): ByteRange[] {
  if (position === 0) return [];
  const start = position + Math.floor((from * bits) / 8);
  return [{ start, end: position + Math.ceil((to * bits) / 8) }];
}

/** Maximum size of a file that is fetched whole. */
const SMALL_BYTES = 1 << 20;

/**
 * Yields byte ranges of a file's structure, step by step: the ranges of a step must be fetched before the next is requested.
 * It is only a prefetch that saves round trips while the file is opened; damage is reported there.
 */
export function* structureBytes(
  file: InputFile,
): Generator<readonly ByteRange[]> {
  const { bytes } = file;
  if (bytes <= SMALL_BYTES) {
    yield [{ start: 0, end: bytes }];
    return;
  }
  yield [
    { start: 0, end: BLOCK_BYTES },
    { start: bytes - BLOCK_BYTES, end: bytes },
  ];
  const isStream = inputReader(file)(0, 4).every((byte) => byte === 0xff);
  // Each message of a stream states where the next one begins.
  for (let offset = 0; isStream; )
    try {
      const message = messageAt(file, offset, "message", true);
      if (!message) return;
      offset = endOf(message);
    } catch (error) {
      if (!(error instanceof MissingRangesError)) return;
      yield error.ranges;
    }
}
