import { diagonalAt, storeRowEntries } from "./entries.js";
import { loadF64, storeF64, storeValue } from "./machine.js";
import {
  errorOfSum,
  LOG,
  LOG_LOW,
  over,
  pAt,
  TEMPERATURE,
  vectorAt,
  WINNER,
  winnerOf,
} from "./work.js";

// Results of `classes` values; a = argmax, w = 1 - p_a = tail/S. But for entries of J, the division by T comes last.

export function storeSoftmax(
  work: usize,
  classes: usize,
  out: usize,
  float32: bool,
): void {
  for (let k: usize = 0; k < classes; k++)
    storeValue(out, k, pAt(work, k), float32);
}

/** Returns log p_k = (o_k - m)/T - log1p(tail). Neither term is positive, so nothing cancels. */
export function logSoftmaxAt(work: usize, classes: usize, k: usize): f64 {
  const d = loadF64(vectorAt(work, classes, 3) + 8 * k);
  const delta = loadF64(vectorAt(work, classes, 4) + 8 * k);
  if (d - d !== 0.0) return d; // a masked class, or a difference beyond float64: -inf
  const log = loadF64(work + LOG);
  const sum = d - log;
  const low = errorOfSum(d, -log, sum) - loadF64(work + LOG_LOW);
  return sum + (delta - delta === 0.0 ? low + delta : low);
}

export function storeLogSoftmax(
  work: usize,
  classes: usize,
  out: usize,
  float32: bool,
): void {
  for (let k: usize = 0; k < classes; k++)
    storeValue(out, k, logSoftmaxAt(work, classes, k), float32);
}

export function storeDiagonal(
  work: usize,
  classes: usize,
  out: usize,
  float32: bool,
): void {
  for (let k: usize = 0; k < classes; k++)
    storeValue(out, k, diagonalAt(work, classes, k), float32);
}

/** Stores column j of the (symmetric) block, with the same bits as the block. */
export function storeColumn(
  work: usize,
  classes: usize,
  j: usize,
  out: usize,
  float32: bool,
): void {
  storeRowEntries(work, classes, j, 0, classes, out, float32);
  storeValue(out, j, diagonalAt(work, classes, j), float32);
}

/** Stores (p - e_y)/T. p_y - 1 is -w if y = a, and does not cancel otherwise. */
export function storeGradient(
  work: usize,
  classes: usize,
  y: usize,
  out: usize,
  float32: bool,
): void {
  const t = loadF64(work + TEMPERATURE);
  for (let i: usize = 0; i < classes; i++) {
    let value = pAt(work, i);
    if (i === y)
      value = y === winnerOf(work) ? -loadF64(work + WINNER) : value - 1.0;
    storeValue(out, i, over(value, t), float32);
  }
}

/**
 * Stores h_k = v_k - v_a in vector 5 and returns c = ⟨p, h⟩, compensated. Since J·1 = 0, subtracting v_a does not change
 * the result, and p_a (v_a - ⟨p, v⟩) = -p_a·c no longer cancels.
 */
function centred(work: usize, classes: usize, v: usize): f64 {
  const h = vectorAt(work, classes, 5);
  const top = loadF64(v + 8 * winnerOf(work));
  let sum = 0.0;
  let lost = 0.0;
  for (let k: usize = 0; k < classes; k++) {
    const difference = loadF64(v + 8 * k) - top;
    storeF64(h + 8 * k, difference);
    const term = pAt(work, k) * difference;
    const s = sum + term;
    lost += errorOfSum(sum, term, s);
    sum = s;
  }
  return sum + lost;
}

/** Stores J v = Jᵀ v = p∘(v - ⟨p, v⟩)/T. */
export function storeProduct(
  work: usize,
  classes: usize,
  v: usize,
  out: usize,
  float32: bool,
): void {
  const t = loadF64(work + TEMPERATURE);
  const c = centred(work, classes, v);
  const h = vectorAt(work, classes, 5);
  for (let k: usize = 0; k < classes; k++)
    storeValue(
      out,
      k,
      over(pAt(work, k) * (loadF64(h + 8 * k) - c), t),
      float32,
    );
}

/** Stores (v - ⟨p, v⟩)/T, the change of log-softmax for a change v of the logits. */
export function storeLogJvp(
  work: usize,
  classes: usize,
  v: usize,
  out: usize,
  float32: bool,
): void {
  const t = loadF64(work + TEMPERATURE);
  const c = centred(work, classes, v);
  const h = vectorAt(work, classes, 5);
  for (let k: usize = 0; k < classes; k++)
    storeValue(out, k, over(loadF64(h + 8 * k) - c, t), float32);
}

/** Stores (g - p Σg)/T, the gradient through log-softmax. For a: w·Σg minus the sum of the other g, since p_a may be near 1. */
export function storeLogVjp(
  work: usize,
  classes: usize,
  g: usize,
  out: usize,
  float32: bool,
): void {
  const t = loadF64(work + TEMPERATURE);
  const a = winnerOf(work);
  let sum = 0.0;
  let lost = 0.0;
  for (let k: usize = 0; k < classes; k++) {
    if (k === a) continue;
    const term = loadF64(g + 8 * k);
    const s = sum + term;
    lost += errorOfSum(sum, term, s);
    sum = s;
  }
  const others = sum + lost;
  const top = loadF64(g + 8 * a);
  const total = sum + top;
  const all = total + (errorOfSum(sum, top, total) + lost);
  for (let k: usize = 0; k < classes; k++) {
    const value =
      k === a
        ? loadF64(work + WINNER) * all - others
        : loadF64(g + 8 * k) - pAt(work, k) * all;
    storeValue(out, k, over(value, t), float32);
  }
}
