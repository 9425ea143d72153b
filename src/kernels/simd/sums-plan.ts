@inline export const ROWS: i32 = 64;
@inline export const RUN: i32 = 8;
/** Logarithm of BLOCK_ROWS in src/kernels/sums-layout.ts. */
@inline export const BLOCK_SHIFT: i32 = 10;

// Kinds of b.
@inline export const BY_ONE: i32 = 0;
@inline export const BY_X: i32 = 1;
@inline export const BY_SQUARE: i32 = 2;
@inline export const BY_OUTER: i32 = 3;
/** The entries of J beside the diagonal: -p/T times p. The diagonal is a streamed vector. */
@inline export const BY_P: i32 = 4;

/** Bytes of a group before its accumulators: its number of good rows (i64) and padding. */
@inline export const GROUP_HEADER: usize = 16;
/** Bytes of a moment. */
@inline export const MOMENT_BYTES: usize = 20;

/** Settings and addresses; the plan of src/kernels/sums-layout.ts, in the same order. */
@unmanaged
export class Plan {
  classes: i32;
  features: i32;
  /** Logits [rows, classes]; unused with coefficients. */
  logits: usize;
  float32: i32;
  /** Features [rows, features]; 0: none. */
  x: usize;
  /** Coefficients [classes, features] in three parts: b, its high and its low half; 0: none. */
  coefficients: usize;
  /** Two rows of logits and of their low parts, then [features] x and halves as pairs. */
  logitPairs: usize;
  weights: usize;
  work: usize;
  needsLog: i32;
  needsPairs: i32;
  /** Whether a vector needs more of the work area than p. */
  needsExps: i32;
  /** Vectors a: entries of portable/program.ts; `out` is the offset in a row, `bytes` the number of values. */
  vectors: usize;
  vectorCount: i32;
  /** Rows [64, stride] of the vectors that are multiplied by features. */
  tile: usize;
  tileStride: i32;
  /** Features of the rows of the tile [64, featureStride]. */
  tileX: usize;
  featureStride: i32;
  /** The rows of a run, and the sum of all runs, of the vectors that are not multiplied: [RUN + 1, streamed]. */
  stream: usize;
  streamed: i32;
  /** Factors b of 64 rows, for BY_SQUARE and BY_OUTER: [64, factorStride]. */
  factors: usize;
  /** Moments: a's offset, its number of values, kind of b, first sum, offset of the diagonal. */
  moments: usize;
  momentCount: i32;
  /** Results of one product: [tileStride, productStride]. */
  products: usize;
  accumulators: usize;
  /** Bytes of a group: its header, then its accumulators. */
  groupBytes: i32;
  badRows: usize;
  badCount: i32;
  /** Values of a row of factors, and of a row of products. */
  factorStride: i32;
  productStride: i32;
  /** p of the rows of the tile, for BY_P [64, tilePStride]; 0: none. */
  tileP: usize;
  tilePStride: i32;
}
