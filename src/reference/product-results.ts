import { add, multiply, subtract } from "./arithmetic.js";
import type { ReferenceRow } from "./row.js";
import {
  at,
  type ReferenceValues,
  Scaled,
  store,
  storeValue,
} from "./scaled.js";

// Products of J, and of the Jacobian of log-softmax, with a vector. Terms may cancel: errors are 2^-97 of the sums of
// absolute terms in docs/results.md.

const term = new Scaled();
const away = new Scaled();
const mean = new Scaled();
const total = new Scaled();
const others = new Scaled();

/** Computes (g - p Σ g)/T; for the predicted class a as ((1 - p_a) Σ g - Σ of the other g)/T. */
export function storeLogVjp(
  { classes, winner, p, q, inverseT }: ReferenceRow,
  out: ReferenceValues,
  g: ArrayLike<number>,
): void {
  store(others, 0);
  for (let k = 0; k < classes; k++) {
    if (k === winner) continue;
    store(term, g[k] as number);
    add(others, others, term);
  }
  store(term, g[winner] as number);
  add(total, others, term);
  for (let k = 0; k < classes; k++) {
    if (k === winner) {
      multiply(term, at(q, k), total);
      subtract(term, term, others);
    } else {
      multiply(mean, at(p, k), total);
      store(term, g[k] as number);
      subtract(term, term, mean);
    }
    multiply(term, term, inverseT);
    storeValue(out, k, term);
  }
}

/**
 * Computes (v - ⟨p, v⟩)/T, times p if `timesP` is set. With v' = v - v_a, ⟨p, v'⟩ has no term of the predicted class a, and
 * v'_k - ⟨p, v'⟩ = v_k - ⟨p, v⟩.
 */
export function storeOffMean(
  { classes, winner, p, inverseT }: ReferenceRow,
  out: ReferenceValues,
  v: ArrayLike<number>,
  timesP: boolean,
): void {
  store(mean, 0);
  for (let k = 0; k < classes; k++) {
    if (k === winner) continue;
    storeAway(v, k, winner);
    multiply(term, away, at(p, k));
    add(mean, mean, term);
  }
  for (let k = 0; k < classes; k++) {
    storeAway(v, k, winner);
    subtract(term, away, mean);
    if (timesP) multiply(term, term, at(p, k));
    multiply(term, term, inverseT);
    storeValue(out, k, term);
  }
}

/** Stores v_k - v_a at `away`. */
function storeAway(v: ArrayLike<number>, k: number, winner: number): void {
  store(away, v[k] as number);
  store(term, v[winner] as number);
  subtract(away, away, term);
}
