/** A block as it is stored, whole or in part: divided by T. */
export type StoredBlock =
  /** `[Q, Q]` row-major, or its upper triangle. */
  | { kind: "square"; values: ArrayLike<number> }
  | { kind: "triangle"; values: ArrayLike<number> }
  /** Indices i·Q + j and values. */
  | {
      kind: "entries";
      indices: ArrayLike<number>;
      values: ArrayLike<number>;
    };

/** Numbers of one row of the logits. Arrays are valid until the next row is decoded. NaN: the output does not determine it. */
export interface Example {
  /** Number of the row; its key (src/results/row-axes.ts) if rows have positions. */
  row: number;
  /** Its table row: row `k` of a record batch. In coo, the first of its entries. */
  batch: number;
  k: number;
  /** Whether it is a bad row, without results. */
  isNull: boolean;
  /** `[Q]`. */
  p: ArrayLike<number> | null;
  /** Class of the largest p, the first of equals; -1: not known. */
  predicted: number;
  confidence: number;
  uncertainty: number;
  entropy: number;
  /** A class, or -1. */
  label: number;
  /** The block, if it is the source of |J|. */
  block: StoredBlock | null;
  droppedMax: number;
  droppedSum: number;
}
