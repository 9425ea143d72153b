import {
  type DataBuffer,
  VIEW_BYTES,
  ViewOutside,
  viewedBytes,
} from "../arrow/views.js";
import { InputFormatError } from "../errors.js";
import type { KeptColumn } from "./kept-columns.js";
import type { LogitsFile } from "./logits-file.js";
import { readInput } from "./read-input.js";
import type { KeptBuffers, LogitsBatch } from "./record-batch.js";
import { overlapping } from "./source-pieces.js";

/** Rows `[from, to)` of an input batch's column; see KeptPiece in pool/protocol.ts. */
export interface KeptRows extends KeptBuffers {
  rowStart: number;
  from: number;
  to: number;
}

/** A kept column's part of rows `[rowStart, rowEnd)`, and the bytes it will take. */
export interface KeptRange {
  pieces: KeptRows[];
  /** A validity bitmap is needed: one of the input's batches has nulls. */
  hasNulls: boolean;
  valuesBytes: number;
}

/**
 * Locates the kept columns' parts of rows `[rowStart, rowEnd)` but for those in `without` (ascending). Variable-length columns cost two small reads a piece:
 * the offsets at its ends.
 * @throws InputFormatError where those offsets cannot be.
 */
export function keptRanges(
  file: LogitsFile,
  rowStart: number,
  rowEnd: number,
  without: readonly number[] = [],
): KeptRange[] {
  const runs = runsBetween(rowStart, rowEnd, without);
  const rows = rowEnd - rowStart - without.length;
  return file.kept.map((column, k) => {
    const pieces = runs.flatMap(([start, end]) =>
      overlapping(file.batches, start, end).map((batch) => ({
        ...(batch.kept[k] as KeptBuffers),
        ...rowsOf(batch, start, end),
      })),
    );
    return {
      pieces,
      hasNulls: pieces.some((piece) => piece.nullCount > 0),
      valuesBytes:
        column.bits > 0
          ? Math.ceil((rows * column.bits) / 8)
          : pieces.reduce((sum, p) => sum + bytesOf(file, column, p), 0),
    };
  });
}

/** The runs of `[start, end)` between the rows in `without`. */
function runsBetween(
  start: number,
  end: number,
  without: readonly number[],
): [start: number, end: number][] {
  const runs: [number, number][] = [];
  let from = start;
  for (const row of [...without, end]) {
    if (row > from) runs.push([from, row]);
    from = row + 1;
  }
  return runs;
}

/** Average bytes per row of the kept columns, from the sizes that the batches declare. */
export function keptBytesPerRow(file: LogitsFile): number {
  if (file.rows === 0) return 0;
  let bytes = 0;
  for (const batch of file.batches) {
    const rows = batch.rowEnd - batch.rowStart;
    file.kept.forEach(({ offsetBytes }, k) => {
      bytes += (batch.kept[k] as KeptBuffers).valuesBytes;
      bytes += rows * (offsetBytes + 1 / 8);
    });
  }
  return bytes / file.rows;
}

function rowsOf(
  batch: LogitsBatch,
  rowStart: number,
  rowEnd: number,
): { rowStart: number; from: number; to: number } {
  const start = Math.max(rowStart, batch.rowStart);
  return {
    rowStart: start,
    from: start - batch.rowStart,
    to: Math.min(rowEnd, batch.rowEnd) - batch.rowStart,
  };
}

function bytesOf(
  file: LogitsFile,
  column: KeptColumn,
  piece: KeptRows,
): number {
  return piece.data
    ? bytesOfViews(file, column, piece, piece.data)
    : bytesBetweenOffsets(file, column, piece);
}

/** Views read at once. */
const VIEWS = 1 << 16;

function bytesOfViews(
  file: LogitsFile,
  { field }: KeptColumn,
  { from, to, values, nullCount, validity, rowStart }: KeptRows,
  data: DataBuffer[],
): number {
  const read = (position: number, bytes: number) => {
    const found = new Uint8Array(bytes);
    readInput(file, found, position);
    return found;
  };
  let sum = 0;
  for (let start = from; start < to; start += VIEWS) {
    const end = Math.min(start + VIEWS, to);
    const first = start >> 3;
    const valid =
      nullCount > 0 ? read(validity + first, Math.ceil(end / 8) - first) : null;
    const bytes = read(values + start * VIEW_BYTES, (end - start) * VIEW_BYTES);
    const views = new DataView(bytes.buffer);
    for (let row = start; row < end; row++) {
      if (valid && !isSet(valid, row - 8 * first)) continue;
      try {
        sum += viewedBytes(views, (row - start) * VIEW_BYTES, data);
      } catch (error) {
        if (!(error instanceof ViewOutside)) throw error;
        const where = `column ${field.name}, row ${rowStart - from + row}`;
        throw new InputFormatError(file.path, where, error.message);
      }
    }
  }
  return sum;
}

function isSet(bitmap: Uint8Array, bit: number): boolean {
  return (((bitmap[bit >> 3] as number) >> (bit & 7)) & 1) === 1;
}

function bytesBetweenOffsets(
  file: LogitsFile,
  { field, offsetBytes }: KeptColumn,
  { from, to, offsets, valuesBytes, rowStart }: KeptRows,
): number {
  const [first, last] = [from, to].map((row) => {
    const bytes = new Uint8Array(8);
    readInput(
      file,
      bytes.subarray(0, offsetBytes),
      offsets + row * offsetBytes,
    );
    const view = new DataView(bytes.buffer);
    return offsetBytes === 4
      ? view.getInt32(0, true)
      : Number(view.getBigInt64(0, true));
  }) as [number, number];
  if (first < 0 || last < first || last > valuesBytes)
    throw new InputFormatError(
      file.path,
      `column ${field.name}, rows ${rowStart} to ${rowStart + to - from - 1}`,
      `expected offsets within 0 to ${valuesBytes}, found ${first} to ${last}`,
    );
  return last - first;
}
