/** Stored values of a block, which includes the factor 1/T. */
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

/** Numbers of one row; NaN if the output does not determine one. Decoding the next row overwrites the arrays. */
export interface Example {
  /** Row number; the key (src/results/row-axes.ts) if rows have positions. */
  row: number;
  /** Table row: row `k` of a record batch that has rows; in coo the row's first entry. */
  batch: number;
  k: number;
  /** Whether the row is a bad row, without results. */
  isNull: boolean;
  /** `[Q]`. */
  p: ArrayLike<number> | null;
  /** Class with the largest p, the first of equals; -1 if unknown. */
  predicted: number;
  confidence: number;
  uncertainty: number;
  entropy: number;
  /** Class, or -1 if the row has no label. */
  label: number;
  /** Block, if it is the source of |J|. */
  block: StoredBlock | null;
  droppedMax: number;
  droppedSum: number;
}
