import { add, multiply, subtract } from "./arithmetic.js";
import { type ReferenceRow, ROW } from "./row.js";
import {
  numbers,
  PLACES,
  type ReferenceValues,
  store,
  storeDouble,
  storeValue,
} from "./scaled.js";

// Products of J, and of the Jacobian of log-softmax, with a vector. Terms may cancel: errors are 2^-97 of the sums of
// absolute terms in docs/results.md.

const x = numbers(4);
const [term, away, mean, total] = [0, PLACES, 2 * PLACES, 3 * PLACES];

/** Computes p ∘ (v - ⟨p, v⟩)/T, which is both vjp and jvp, because J is symmetric. */
export function storeProduct(
  row: ReferenceRow,
  out: ReferenceValues,
  v: ArrayLike<number>,
): void {
  offMean(row, out, v, true);
}

/** Computes (v - ⟨p, v⟩)/T. */
export function storeLogJvp(
  row: ReferenceRow,
  out: ReferenceValues,
  v: ArrayLike<number>,
): void {
  offMean(row, out, v, false);
}

/** Computes (g - p Σ g)/T; for the predicted class a as ((1 - p_a) Σ g - Σ of the other g)/T. */
export function storeLogVjp(
  { classes, winner, p, q, scalars }: ReferenceRow,
  out: ReferenceValues,
  g: ArrayLike<number>,
): void {
  store(x, total, 0, 0, 0);
  for (let k = 0; k < classes; k++)
    if (k !== winner) {
      storeDouble(x, term, g[k] as number);
      add(x, total, x, total, x, term);
    }
  // `away` becomes the sum over the other classes.
  storeDouble(x, term, g[winner] as number);
  x.copyWithin(away, total, total + PLACES);
  add(x, total, x, total, x, term);
  for (let k = 0; k < classes; k++) {
    const at = PLACES * k;
    if (k === winner) {
      multiply(x, term, q, at, x, total);
      subtract(x, term, x, term, x, away);
    } else {
      multiply(x, mean, p, at, x, total);
      storeDouble(x, term, g[k] as number);
      subtract(x, term, x, term, x, mean);
    }
    multiply(x, term, x, term, scalars, ROW.inverseT);
    storeValue(out, k, x, term);
  }
}

/** With v' = v - v_a, ⟨p, v'⟩ has no term of the predicted class a, and v'_k - ⟨p, v'⟩ = v_k - ⟨p, v⟩. */
function offMean(
  { classes, winner, p, scalars }: ReferenceRow,
  out: ReferenceValues,
  v: ArrayLike<number>,
  timesP: boolean,
): void {
  store(x, mean, 0, 0, 0);
  for (let k = 0; k < classes; k++) {
    if (k === winner) continue;
    storeAway(v, k, winner);
    multiply(x, term, x, away, p, PLACES * k);
    add(x, mean, x, mean, x, term);
  }
  for (let k = 0; k < classes; k++) {
    storeAway(v, k, winner);
    subtract(x, term, x, away, x, mean);
    if (timesP) multiply(x, term, x, term, p, PLACES * k);
    multiply(x, term, x, term, scalars, ROW.inverseT);
    storeValue(out, k, x, term);
  }
}

/** Stores v_k - v_a at `away`. */
function storeAway(v: ArrayLike<number>, k: number, winner: number): void {
  storeDouble(x, away, v[k] as number);
  storeDouble(x, term, v[winner] as number);
  subtract(x, away, x, away, x, term);
}
