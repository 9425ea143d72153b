import type { CopiedShape } from "../arrow/copied-nodes.js";
import { aligned, type BufferRange } from "../arrow/encode-messages.js";

/** Everything that determines the layout of a record batch. */
export interface JacobianBatchShape {
  rows: number;
  /** Number of index columns after `row`. */
  positions?: number;
  results: ResultShape[];
  /** Whether results have a validity bitmap. */
  nullableResults: boolean;
  /** Nodes of each copied column. */
  copied: CopiedShape[][];
}

/** A column of results in one record batch. */
export interface ResultShape {
  list: boolean;
  /** Whether lists vary in length and have int32 offsets. */
  offsets: boolean;
  /** Number of values. */
  items: number;
  /** Bytes per value. */
  width: number;
}

/**
 * Computes the offset of every buffer of a record batch, from the start of its body. `buffers` are in schema order.
 *
 * | column   | buffers                                               |
 * |----------|-------------------------------------------------------|
 * | row      | validity (none), int64[rows]                          |
 * | position | validity (none), int32[rows]                          |
 * | copied … | for each node: those of validity, offsets, values that it has |
 * | result … | validity, (offsets,) (lists: item validity, none,) values |
 */
export function layoutJacobianBatch(shape: JacobianBatchShape) {
  const buffers: BufferRange[] = [];
  let end = 0;
  const allocate = (length: number): number => {
    const offset = end;
    buffers.push({ offset, length });
    end = aligned(offset + length);
    return offset;
  };
  const { rows } = shape;
  const bitmap = shape.nullableResults ? Math.ceil(rows / 8) : 0;
  allocate(0);
  const row = allocate(8 * rows);
  const positions = Array.from({ length: shape.positions ?? 0 }, () => {
    allocate(0);
    return allocate(4 * rows);
  });
  const allocateIfAny = (length: number | null) =>
    length === null ? end : allocate(length);
  const copied = shape.copied.map((nodes) =>
    nodes.map(({ validity, offsets, values }) => ({
      validity: allocateIfAny(validity),
      offsets: allocateIfAny(offsets),
      values: allocateIfAny(values),
    })),
  );
  const results = shape.results.map(({ list, offsets, items, width }) => {
    const validity = allocate(bitmap);
    const start = offsets ? allocate(4 * (rows + 1)) : 0;
    if (list) allocate(0);
    return { validity, offsets: start, values: allocate(items * width) };
  });
  return { buffers, bodyBytes: end, row, positions, copied, results };
}

/** Returns an Arrow validity bitmap (least significant bit first) that is 0 for bad rows and after the last row. */
export function validityBitmap(rows: number, badRows: number[]): Uint8Array {
  const bitmap = new Uint8Array(Math.ceil(rows / 8)).fill(0xff);
  if (rows % 8) bitmap[bitmap.length - 1] = (1 << (rows % 8)) - 1;
  for (const row of badRows)
    bitmap[row >> 3] = (bitmap[row >> 3] as number) & ~(1 << (row & 7));
  return bitmap;
}
