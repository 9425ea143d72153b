import type { BufferPlace } from "./arrow-encode.js";

/** What the layout of one record batch depends on. */
export interface JacobianBatchShape {
  rows: number;
  classes: number;
  /** Bytes per output value. */
  width: 4 | 8;
  /** softmax and jacobian carry a validity bitmap. */
  nullableResults: boolean;
  kept: KeptShape[];
}

/** Bytes of a kept column in one record batch; `offsets` is absent (null) in fixed-width columns. */
export interface KeptShape {
  validity: number;
  offsets: number | null;
  values: number;
}

export interface JacobianBatchLayout {
  /** In the order of the schema: row, kept columns, softmax (+ item), jacobian (+ item). */
  buffers: BufferPlace[];
  bodyBytes: number;
  row: number;
  kept: { validity: number; offsets: number; values: number }[];
  softmaxValidity: number;
  softmax: number;
  jacobianValidity: number;
  jacobian: number;
}

/** Buffers start on 64 bytes, as the format recommends. */
export function aligned(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}

/**
 * Places every buffer of a record batch; offsets from the start of its body.
 *
 * | column   | buffers                                        |
 * |----------|------------------------------------------------|
 * | row      | validity (none), int64[rows]                   |
 * | kept …   | validity, (offsets,) values                    |
 * | softmax  | validity, item validity (none), [rows, Q]      |
 * | jacobian | validity, item validity (none), [rows, Q, Q]   |
 */
export function layoutJacobianBatch(
  shape: JacobianBatchShape,
): JacobianBatchLayout {
  const buffers: BufferPlace[] = [];
  let end = 0;
  const place = (length: number): number => {
    const offset = end;
    buffers.push({ offset, length });
    end = aligned(offset + length);
    return offset;
  };
  const { rows, classes, width } = shape;
  const bitmap = shape.nullableResults ? Math.ceil(rows / 8) : 0;
  place(0);
  const row = place(8 * rows);
  const kept = shape.kept.map((column) => ({
    validity: place(column.validity),
    offsets: column.offsets === null ? 0 : place(column.offsets),
    values: place(column.values),
  }));
  const softmaxValidity = place(bitmap);
  place(0);
  const softmax = place(rows * classes * width);
  const jacobianValidity = place(bitmap);
  place(0);
  const jacobian = place(rows * classes * classes * width);
  return {
    buffers,
    bodyBytes: end,
    row,
    kept,
    softmaxValidity,
    softmax,
    jacobianValidity,
    jacobian,
  };
}
