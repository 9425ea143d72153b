import { storeValue } from "./portable/machine.js";
import { diagonalAt } from "./portable/vectors.js";
import { pAt } from "./portable/work.js";

/**
 * Rows [iStart, iEnd) of the block J = (diag(p) - p pᵀ)/T to `out`, row-major `[iEnd - iStart, classes]`; float32
 * rounds each entry once.
 *
 * J[i,j] = -p_i p_j; J[k,k] = p_k (1 - p_k) for k != argmax, where p_k <= 1/2 and nothing cancels;
 * J[a,a] = p_a·(tail/S), since 1 - p_a = tail/S. With p within 1.2 ε each entry is within 3 ε.
 */
export function storeTile(
  work: number,
  classes: number,
  temperature: number,
  iStart: number,
  iEnd: number,
  out: number,
  float32: boolean,
): void {
  let at = 0;
  for (let i = iStart; i < iEnd; i++) {
    const pi = pAt(work, i);
    for (let j = 0; j < classes; j++) {
      const entry = i === j ? diagonalAt(work, i) : 0 - pi * pAt(work, j);
      storeValue(out, at++, entry / temperature, float32);
    }
  }
}
