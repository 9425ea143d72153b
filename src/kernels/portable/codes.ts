// Codes of the results, for plans and kernels.

// Vectors of `classes` values.
export const SOFTMAX: i32 = 1;
export const LOG_SOFTMAX: i32 = 2;
export const COLUMN: i32 = 3;
export const DIAGONAL: i32 = 4;
export const PRODUCT: i32 = 5;
export const LOG_VJP: i32 = 6;
export const LOG_JVP: i32 = 7;
export const GRADIENT: i32 = 8;
export const VARIANCE: i32 = 9;
export const STD_ERROR: i32 = 10;

// Scalars.
export const LOGSUMEXP: i32 = 20;
export const TRACE: i32 = 21;
export const CROSS_ENTROPY: i32 = 22;
export const ENTROPY: i32 = 23;
export const GINI: i32 = 24;
export const ARGMAX_CLASS: i32 = 25;
export const CONFIDENCE: i32 = 26;
export const UNCERTAINTY: i32 = 27;
export const TAIL_SUM: i32 = 28;

// Blocks, of which rows [iStart, iEnd) are stored at a time.
export const JACOBIAN: i32 = 40;
export const PACKED: i32 = 41;
export const LOG_JACOBIAN: i32 = 42;
export const FACTOR: i32 = 43;
export const COVARIANCE: i32 = 44;

// Vectors that only sums over rows have: the constant 1; the third derivatives of logsumexp, packed; the upper triangle of
// (p - e_y)(p - e_y)ᵀ; 1 for a row whose label is the predicted class, else 0; -p/T.
export const ONE: i32 = 60;
export const THIRD: i32 = 61;
export const SCORE_OUTER: i32 = 62;
export const CORRECT: i32 = 63;
// Five values of a row for the calibration of a temperature (see src/kernels/simd/sums.ts); 1, confidence and correctness in the
// bin of the confidence, of `param` bins; Σ (p_k - [k = y])².
export const CALIBRATION: i32 = 64;
export const RELIABILITY: i32 = 65;
export const BRIER: i32 = 66;
export const NEGATED: i32 = 67;

/** Returns whether a result needs storeLog. */
export function needsLog(code: i32): bool {
  return (
    code === LOG_SOFTMAX ||
    code === LOGSUMEXP ||
    code === CROSS_ENTROPY ||
    code === ENTROPY ||
    code === CALIBRATION
  );
}

/** Returns whether a result is computed from the pairs of p (entries.ts). */
export function needsPairs(code: i32): bool {
  return (
    code === JACOBIAN || code === PACKED || code === COLUMN || code === DIAGONAL
  );
}
