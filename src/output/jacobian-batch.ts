import type { CopiedShape } from "../arrow/copied-nodes.js";
import type { BufferRange } from "../arrow/encode-messages.js";
import { aligned } from "../arrow/encode-messages.js";

/** What the layout of one record batch depends on. */
export interface JacobianBatchShape {
  rows: number;
  /** Number of index columns after `row`. */
  positions?: number;
  results: ResultShape[];
  /** Results carry a validity bitmap. */
  nullableResults: boolean;
  /** Nodes of each copied column. */
  copied: CopiedShape[][];
}

/** A column of results in one record batch. */
export interface ResultShape {
  list: boolean;
  /** Lists of varying length have int32 offsets. */
  offsets: boolean;
  /** Values that it has. */
  items: number;
  /** Bytes per value. */
  width: number;
}

export interface JacobianBatchLayout {
  /** In the order of the schema: row, positions, copied columns, results (lists + item). */
  buffers: BufferRange[];
  bodyBytes: number;
  row: number;
  positions: number[];
  copied: { validity: number; offsets: number; values: number }[][];
  results: { validity: number; offsets: number; values: number }[];
}

/**
 * Places every buffer of a record batch; offsets from the start of its body.
 *
 * | column   | buffers                                               |
 * |----------|-------------------------------------------------------|
 * | row      | validity (none), int64[rows]                          |
 * | position | validity (none), int32[rows]                          |
 * | copied … | of each node: validity, offsets, values, as it has them |
 * | result … | validity, (offsets,) (lists: item validity, none,) values |
 */
export function layoutJacobianBatch(
  shape: JacobianBatchShape,
): JacobianBatchLayout {
  const buffers: BufferRange[] = [];
  let end = 0;
  const place = (length: number): number => {
    const offset = end;
    buffers.push({ offset, length });
    end = aligned(offset + length);
    return offset;
  };
  const { rows } = shape;
  const bitmap = shape.nullableResults ? Math.ceil(rows / 8) : 0;
  place(0);
  const row = place(8 * rows);
  const positions = Array.from({ length: shape.positions ?? 0 }, () => {
    place(0);
    return place(4 * rows);
  });
  const placeIfAny = (length: number | null) =>
    length === null ? end : place(length);
  const copied = shape.copied.map((nodes) =>
    nodes.map(({ validity, offsets, values }) => ({
      validity: placeIfAny(validity),
      offsets: placeIfAny(offsets),
      values: placeIfAny(values),
    })),
  );
  const results = shape.results.map(({ list, offsets, items, width }) => {
    const validity = place(bitmap);
    const start = offsets ? place(4 * (rows + 1)) : 0;
    if (list) place(0);
    return { validity, offsets: start, values: place(items * width) };
  });
  return {
    buffers,
    bodyBytes: end,
    row,
    positions,
    copied,
    results,
  };
}

/** One bit a row, from the low end of each byte; 0 for the bad rows, and beyond the last row. */
export function validityBitmap(rows: number, badRows: number[]): Uint8Array {
  const bitmap = new Uint8Array(Math.ceil(rows / 8)).fill(0xff);
  if (rows % 8) bitmap[bitmap.length - 1] = (1 << (rows % 8)) - 1;
  for (const row of badRows)
    bitmap[row >> 3] = (bitmap[row >> 3] as number) & ~(1 << (row & 7));
  return bitmap;
}
