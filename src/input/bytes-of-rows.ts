import type { KeptBuffers, KeptNode } from "../arrow/kept-nodes.js";
import { integerAt, viewOf } from "../arrow/read-window.js";
import { isSeparate, offsetWidth } from "../arrow/source-form.js";
import { VIEW_BYTES } from "../arrow/views.js";
import type { ByteRange } from "../io/present-blocks.js";
import { keptPieces } from "./kept-pieces.js";
import type { LogitsFile } from "./logits-file.js";
import { inputReader } from "./read-input.js";
import { sourcePieces, sourcesOf } from "./source-pieces.js";

/** Offsets of `rows` lists or texts, which tell where their values are. */
interface Offsets extends ByteRange {
  /** Bytes per offset. */
  width: number;
  /** Start of the values that offset 0 points to, and bytes of each. */
  values: number;
  valueBytes: number;
}

/**
 * Returns the bytes of an input that rows `[rowStart, rowEnd)` take, as far as its structure tells: all that a part of a
 * run reads, except for the values that offsets point to.
 */
export function bytesOfRows(
  file: LogitsFile,
  rowStart: number,
  rowEnd: number,
): ByteRange[] {
  return Array.from(located(file, rowStart, rowEnd)).filter(isNotEmpty);
}

/**
 * Returns the bytes of the values that offsets of the rows point to. The bytes of the rows must be there.
 * @throws InputFormatError, IoError
 */
export function bytesOfValues(
  file: LogitsFile,
  rowStart: number,
  rowEnd: number,
): ByteRange[] {
  const read = inputReader(file);
  return Array.from(located(file, rowStart, rowEnd), (found) => {
    if (!("width" in found)) return { start: 0, end: 0 };
    const { start, end, width, values, valueBytes } = found;
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

function* located(
  file: LogitsFile,
  rowStart: number,
  rowEnd: number,
): Generator<ByteRange | Offsets> {
  for (const { body, bodyStart, bodyBytes } of file.dictionaries)
    if (body === null) yield rangeAt(bodyStart, bodyBytes);
  const pieces = sourcePieces(file, rowStart, rowEnd);
  for (const [n, { form, width: valueBytes, values }] of sourcesOf(
    file,
  ).entries()) {
    if (file.decodedFds[n] !== null) continue;
    const width = offsetWidth(form);
    const perRow = isSeparate(form) ? 1 : values;
    for (const piece of pieces[n] ?? []) {
      const { firstRow, validity, valueValidity, valueCount } = piece;
      const rows = piece.rowEnd - piece.rowStart;
      const first = width > 0 ? 0 : firstRow * perRow;
      const last = width > 0 ? valueCount : first + rows * perRow;
      yield* bitsAt(validity, 1, firstRow, firstRow + rows);
      for (const bits of valueValidity) yield* bitsAt(bits, 1, first, last);
      for (const values of piece.values)
        yield width > 0
          ? {
              ...rangeAt(piece.offsets, (rows + 1) * width),
              ...{ width, values, valueBytes },
            }
          : rangeAt(values, rows * perRow * valueBytes);
    }
  }
  for (const [k, column] of file.kept.entries())
    if (!column.constant)
      for (const { buffers, from, to } of keptPieces(file, k, rowStart, rowEnd))
        if (buffers) yield* ofNode(column, buffers, from, to, false);
}

/** The bytes of values `[from, to)` of a node. All bytes of lists in it are, since only its offsets tell which it needs. */
function* ofNode(
  node: KeptNode,
  buffers: KeptBuffers,
  from: number,
  to: number,
  isNested: boolean,
): Generator<ByteRange | Offsets> {
  const { form, fd, bits, offsetBytes: width, listSize } = node;
  const { validity, nullCount, offsets, values, valuesBytes } = buffers;
  if (fd !== null) return;
  if (nullCount > 0) yield* bitsAt(validity, 1, from, to);
  const [range] = bitsAt(offsets, 8 * width, from, to + 1);
  if (range && form === "text" && !isNested)
    yield { ...range, width, values, valueBytes: 1 };
  else if (range) yield range;
  if (form === "text" && isNested) yield rangeAt(values, valuesBytes);
  else if (form !== "text")
    yield* bitsAt(values, form === "views" ? 8 * VIEW_BYTES : bits, from, to);
  for (const { position, bytes } of buffers.data ?? [])
    yield rangeAt(position, bytes);
  const perValue = { struct: 1, "fixed-size-list": listSize }[form as string];
  for (const [k, child] of buffers.children.entries()) {
    const below = node.children[k] ?? node.children[0];
    if (!below) continue;
    const first = perValue === undefined ? 0 : from * perValue;
    const last = perValue === undefined ? child.length : to * perValue;
    yield* ofNode(below, child, first, last, true);
  }
}

function rangeAt(start: number, bytes: number): ByteRange {
  return { start, end: start + bytes };
}

/** The bytes of values `[from, to)` of so many bits; a position of 0: there are none. */
function bitsAt(
  position: number,
  bits: number,
  from: number,
  to: number,
): ByteRange[] {
  if (position === 0) return [];
  const start = position + Math.floor((from * bits) / 8);
  return [{ start, end: position + Math.ceil((to * bits) / 8) }];
}
