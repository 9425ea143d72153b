/** A block, or what is there of it, as it is stored: divided by T. */
export type StoredBlock =
  /** `[Q, Q]` row-major, or its upper triangle. */
  | { kind: "square"; values: ArrayLike<number> }
  | { kind: "triangle"; values: ArrayLike<number> }
  /** i·Q + j and values. */
  | {
      kind: "entries";
      indices: ArrayLike<number>;
      values: ArrayLike<number>;
    };

/** What an output says of one row of the logits. Arrays are good until the next is decoded. NaN: the file does not tell. */
export interface Example {
  /** Number of the row; its key (src/results/row-axes.ts) if rows have positions. */
  row: number;
  /** Its table row: row `k` of a record batch. Of coo the first of its entries. */
  batch: number;
  k: number;
  /** A bad row: it has no results. */
  isNull: boolean;
  /** `[Q]`. */
  p: ArrayLike<number> | null;
  /** Class of the largest p, the first of equals; -1 where that is not known. */
  winner: number;
  confidence: number;
  uncertainty: number;
  entropy: number;
  /** A class, or -1. */
  label: number;
  /** Where |J| is counted by what is stored. */
  block: StoredBlock | null;
  droppedMax: number;
  droppedSum: number;
}

/** Some examples that were read together. */
export interface ExampleChunk {
  count: number;
  at(n: number): Example;
}
