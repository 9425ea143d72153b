import { add, multiply, subtract } from "./arithmetic.js";
import { type ReferenceRow, ROW } from "./row.js";
import { numbers, PLACES, store, storeDouble } from "./scaled.js";
import { type ReferenceValues, storeValue } from "./values.js";

// Products of J and of log-softmax's block with a vector. Their terms may cancel: errors are 2^-97 of the sums of the
// terms' sizes that docs/results.md gives for each.

const x = numbers(4);
const [term, away, mean, total] = [0, PLACES, 2 * PLACES, 3 * PLACES];

/** p ∘ (v - ⟨p, v⟩)/T: vjp and jvp, J being symmetric. */
export function storeProduct(
  row: ReferenceRow,
  out: ReferenceValues,
  v: ArrayLike<number>,
): void {
  offMean(row, out, v, true);
}

/** (v - ⟨p, v⟩)/T */
export function storeLogJvp(
  row: ReferenceRow,
  out: ReferenceValues,
  v: ArrayLike<number>,
): void {
  offMean(row, out, v, false);
}

/** (g - p Σ g)/T; the winner's as (w Σ g - Σ of the others' g)/T, w = 1 - p_a. */
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
  // `away`: the others' sum
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

/** With v' = v - v_a the mean ⟨p, v'⟩ has no term of the winner's, and v'_k - ⟨p, v'⟩ = v_k - ⟨p, v⟩. */
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

/** v_k - v_a, to `away`. */
function storeAway(v: ArrayLike<number>, k: number, winner: number): void {
  storeDouble(x, away, v[k] as number);
  storeDouble(x, term, v[winner] as number);
  subtract(x, away, x, away, x, term);
}
