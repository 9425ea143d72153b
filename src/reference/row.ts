import { add, divide, multiply, subtract } from "./arithmetic.js";
import { exponential } from "./exponential.js";
import { log1p } from "./logarithm.js";
import { numbers, PLACES, store, storeDouble } from "./scaled.js";

/**
 * Quantities of a row of Q logits from which every result is computed, as numbers of scaled.ts (class k at PLACES·k).
 * p = softmax(o/T); a = `winner` is the predicted class, the first one with the largest logit.
 */
export interface ReferenceRow {
  readonly classes: number;
  winner: number;
  /** 1 for a masked class (logit -inf): p and every entry of J are 0, and log p is -inf. */
  readonly masked: Uint8Array;
  readonly p: Float64Array;
  /** 1 - p_k without cancellation: tail/(1 + tail) for the predicted class. */
  readonly q: Float64Array;
  /** (o_k - o_a)/T; 0 where masked. */
  readonly d: Float64Array;
  /** Numbers of the row, at the offsets of `ROW`. */
  readonly scalars: Float64Array;
}

/** Offsets in `scalars`. */
export const ROW = {
  inverseT: 0,
  /** 1/T² */
  inverseTT: PLACES,
  /** o_a/T */
  peak: 2 * PLACES,
  /** Σ exp((o_k - o_a)/T) over k ≠ a, without the leading 1. */
  tail: 3 * PLACES,
  /** log1p(tail) */
  log: 4 * PLACES,
  /** Σ exp over all classes, 1 + tail. */
  total: 5 * PLACES,
  one: 6 * PLACES,
  spare: 7 * PLACES,
} as const;

/** Allocates a row, which may be reused for other rows with the same number of classes. */
export function referenceRowOf(classes: number): ReferenceRow {
  return {
    classes,
    winner: 0,
    masked: new Uint8Array(classes),
    p: numbers(classes),
    q: numbers(classes),
    d: numbers(classes),
    scalars: numbers(8),
  };
}

/**
 * Computes softmax of one row by its definition to about 31 digits. Shares nothing with the kernels.
 *
 * o_k - o_a is exact if it fits 106 bits, otherwise it has a relative error of 2^-105. Relative errors: d 2^-102; p, q and
 * tail 2^-98 for |d| up to 1000, and |d|·2^-102 beyond. Measured against 80 digits: 1e-31 for differences of logits of
 * hundreds, 6e-28 for (o - o_a)/T = 1e5. p is exactly 0 for d <= -2^20, where no product with doubles is nonzero. It
 * takes 7 µs for 10 classes, and 15 µs with the block.
 *
 * @param logits Q numbers, finite or -inf (masked)
 * @param options.temperature T, 1e-100 to 1e100; default: 1
 * @param row row to overwrite; default: a new one
 * @returns null for a bad row: NaN, +inf, or only -inf
 */
export function referenceRow(
  logits: ArrayLike<number>,
  { temperature = 1 }: { temperature?: number } = {},
  row: ReferenceRow = referenceRowOf(logits.length),
): ReferenceRow | null {
  const winner = winnerOf(logits);
  if (winner < 0) return null;
  row.winner = winner;
  const { p, q, d, masked, scalars: s } = row;
  const { spare, one, tail, total, inverseT } = ROW;
  storeDouble(s, one, 1);
  storeDouble(s, spare, temperature);
  divide(s, inverseT, s, one, s, spare);
  multiply(s, ROW.inverseTT, s, inverseT, s, inverseT);
  storeDouble(s, spare, logits[winner] as number);
  multiply(s, ROW.peak, s, spare, s, inverseT);

  store(s, tail, 0, 0, 0);
  for (let k = 0; k < row.classes; k++) {
    const at = PLACES * k;
    const o = logits[k] as number;
    masked[k] = o === -Infinity ? 1 : 0;
    storeDouble(d, at, masked[k] ? 0 : o);
    storeDouble(p, at, masked[k] ? 0 : 1);
    if (k === winner) store(d, at, 0, 0, 0);
    else if (!masked[k]) {
      subtract(d, at, d, at, s, spare);
      multiply(d, at, d, at, s, inverseT);
      exponential(p, at, d, at);
      add(s, tail, s, tail, p, at);
    }
  }
  log1p(s, ROW.log, s, tail);
  add(s, total, s, one, s, tail);
  divide(s, spare, s, one, s, total);
  for (let at = 0; at < PLACES * row.classes; at += PLACES) {
    multiply(p, at, p, at, s, spare);
    subtract(q, at, s, one, p, at);
  }
  multiply(q, PLACES * winner, s, tail, s, spare);
  return row;
}

/** Returns the first class with the largest logit; -1 for a bad row. */
function winnerOf(logits: ArrayLike<number>): number {
  let winner = -1;
  let most = -Infinity;
  for (let k = 0; k < logits.length; k++) {
    const o = logits[k] as number;
    if (o !== o || o === Infinity) return -1;
    if (o > most) {
      most = o;
      winner = k;
    }
  }
  return winner;
}
