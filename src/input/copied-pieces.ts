import {
  type CopiedBuffers,
  type CopiedNode,
  type CopiedPiece,
  type CopiedShape,
  DamagedColumn,
  describePosition,
  readerOf,
} from "../arrow/copied-nodes.js";
import { NodeReader, outputNodes } from "../arrow/node-reader.js";
import type { Read } from "../arrow/read-window.js";
import { type DataBuffer, VIEW_BYTES, viewedBytes } from "../arrow/views.js";
import { InputFormatError } from "../errors.js";
import { axesOf, rowIndices } from "../results/row-axes.js";
import { type LogitsFile, overlapping } from "./logits-file.js";
import { inputReader } from "./read-input.js";
import type { CopiedRows } from "./record-batch.js";

/** Returns the pieces of copied column k for rows `[rowStart, rowEnd)`, except the rows in `excluded` (ascending). */
export function copiedPieces(
  file: LogitsFile,
  k: number,
  rowStart: number,
  rowEnd: number,
  excluded: readonly number[] = [],
): CopiedPiece[] {
  const constant = file.copied[k]?.constant;
  if (constant)
    return constantPieces(
      constant.buffers,
      rowEnd - rowStart - excluded.length,
    );
  return rangesBetween(rowStart, rowEnd, excluded).flatMap(([start, end]) =>
    overlapping(file.batches, start, end).flatMap((batch) => {
      const { buffers, first, tableRow } = batch.copied[k] as CopiedRows;
      const row = Math.max(start, batch.rowStart);
      const rowsEnd = Math.min(end, batch.rowEnd);
      if (tableRow !== null)
        return repeatedPieces(file, buffers, row, rowsEnd, tableRow);
      const from = row - batch.rowStart + first;
      const to = from + rowsEnd - row;
      return [{ buffers, from, to, repeat: 1, row }];
    }),
  );
}

function constantPieces(buffers: CopiedBuffers, rows: number): CopiedPiece[] {
  const { length } = buffers;
  const piece = { buffers, from: 0, row: null };
  return [
    { ...piece, to: length, repeat: Math.floor(rows / length) },
    { ...piece, to: rows % length, repeat: 1 },
  ].filter(({ to, repeat }) => to * repeat > 0);
}

/** Returns one piece per table row, repeated for its rows in `[start, end)`. The buffers start at table row `tableRow`. */
function repeatedPieces(
  file: LogitsFile,
  buffers: CopiedBuffers,
  start: number,
  end: number,
  tableRow: number,
): CopiedPiece[] {
  const pieces: CopiedPiece[] = [];
  const [rows = []] = rowIndices(axesOf(file), start, end);
  for (const row of rows) {
    const from = row - tableRow;
    const last = pieces.at(-1);
    if (last?.from === from) last.repeat++;
    else pieces.push({ buffers, from, to: from + 1, repeat: 1, row });
  }
  return pieces;
}

/**
 * Measures the nodes of each copied column in rows `[rowStart, rowEnd)`, except the rows in `excluded` (ascending). For
 * texts and lists this takes two small reads per piece: the first and the last offset.
 * @throws InputFormatError if offsets are invalid
 */
export function copiedShapes(
  file: LogitsFile,
  rowStart: number,
  rowEnd: number,
  excluded: readonly number[] = [],
): CopiedShape[][] {
  const read = inputReader(file);
  try {
    return file.copied.map((column, k) => {
      const pieces = copiedPieces(file, k, rowStart, rowEnd, excluded);
      const nodes = outputNodes(column, () => pieces, read);
      return nodes
        .map(({ node, pieces }) => measureNode(node, pieces(), read))
        .map((shape, n, shapes) => {
          const items = shape.values ?? shapes[n + 1]?.rows ?? 0;
          return { ...shape, items };
        });
    });
  } catch (error) {
    if (!(error instanceof DamagedColumn)) throw error;
    throw new InputFormatError(file.path, error.where, error.message);
  }
}

/** Measures the pieces of a node. @throws DamagedColumn */
export function measureNode(
  node: CopiedNode,
  pieces: Iterable<CopiedPiece>,
  read: Read,
): CopiedShape {
  const reader = new NodeReader(node, readerOf(node, read));
  const { form, bits, offsetBytes } = node;
  let [rows, textBytes, hasNulls] = [0, 0, false];
  for (const piece of pieces) {
    const { buffers, from, to, repeat } = piece;
    rows += (to - from) * repeat;
    if (!buffers || buffers.nullCount > 0) hasNulls = true;
    if (buffers && form === "text") {
      const [first, last] = reader.ends(piece, buffers);
      textBytes += (last - first) * repeat;
    } else if (buffers?.data)
      textBytes +=
        bytesOfViews(node, piece, buffers, buffers.data, reader, read) * repeat;
  }
  const isText = form === "text" || form === "views";
  const fixed = bits > 0 ? Math.ceil((rows * bits) / 8) : null;
  return {
    rows,
    validity: form === "null" ? null : hasNulls ? Math.ceil(rows / 8) : 0,
    offsets: offsetBytes > 0 ? offsetBytes * (rows + 1) : null,
    values: isText ? textBytes : fixed,
    items: textBytes,
  };
}

/** Returns the ranges of `[start, end)` between the rows in `excluded`. */
function rangesBetween(
  start: number,
  end: number,
  excluded: readonly number[],
): [start: number, end: number][] {
  const ranges: [number, number][] = [];
  let from = start;
  for (const row of [...excluded, end]) {
    if (row > from) ranges.push([from, row]);
    from = row + 1;
  }
  return ranges;
}

/** Estimates the bytes per row of the copied columns from the sizes that the batches declare. */
export function copiedBytesPerRow(file: LogitsFile): number {
  if (file.rows === 0) return 0;
  let bytes = 0;
  for (const { copied, rowStart, rowEnd } of file.batches)
    file.copied.forEach((column, k) => {
      const rows = rowEnd - rowStart;
      bytes += rows * bytesPerValue(column, (copied[k] as CopiedRows).buffers);
    });
  return bytes / file.rows;
}

function bytesPerValue(node: CopiedNode, buffers: CopiedBuffers): number {
  const { form, listSize, offsetBytes, children } = node;
  const length = Math.max(1, buffers.length);
  const below = children.map((child, k) => {
    const childBuffers = buffers.children[k];
    return childBuffers ? bytesPerValue(child, childBuffers) : 0;
  });
  const last = below.at(-1) ?? 0;
  if (form === "codes" || form === "runs") return last;
  const lists =
    offsetBytes > 0 ? (buffers.children[0]?.length ?? 0) / length : 0;
  const nested =
    form === "struct"
      ? below.reduce((a, b) => a + b, 0)
      : last * (listSize || lists);
  return buffers.valuesBytes / length + offsetBytes + 1 / 8 + nested;
}

/** Number of views per read. */
const VIEWS_PER_READ = 1 << 16;

function bytesOfViews(
  node: CopiedNode,
  piece: CopiedPiece,
  buffers: CopiedBuffers,
  data: DataBuffer[],
  reader: NodeReader,
  read: Read,
): number {
  const { from, to } = piece;
  let sum = 0;
  let row = from;
  const fail = (text: string): never => {
    throw new DamagedColumn(describePosition(node, piece, row), text);
  };
  for (let start = from; start < to; start += VIEWS_PER_READ) {
    const end = Math.min(start + VIEWS_PER_READ, to);
    const at = buffers.values + start * VIEW_BYTES;
    const bytes = read(at, (end - start) * VIEW_BYTES);
    const views = new DataView(bytes.buffer);
    for (row = start; row < end; row++)
      if (!reader.isNull(buffers, row))
        sum += viewedBytes(views, (row - start) * VIEW_BYTES, data, fail);
  }
  return sum;
}
