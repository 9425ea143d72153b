import type { WorkArea } from "./work-area.js";

/**
 * Rows [iStart, iEnd) of the block J = diag(p) - p pᵀ to `out`, row-major `[iEnd - iStart, classes]`;
 * a Float32Array rounds each entry once.
 *
 * J[i,j] = -p_i p_j; J[k,k] = p_k (1 - p_k) for k != argmax, where p_k <= 1/2 and nothing cancels;
 * J[a,a] = p_a·(tail/S), since 1 - p_a = tail/S. With p within 1.2 ε each entry is within 3 ε.
 */
export function storeTile(
  work: WorkArea,
  classes: number,
  iStart: number,
  iEnd: number,
  out: Float64Array | Float32Array,
): void {
  const { p } = work;
  let at = 0;
  for (let i = iStart; i < iEnd; i++) {
    const pi = p[i] as number;
    for (let j = 0; j < classes; j++) out[at + j] = 0 - pi * (p[j] as number);
    out[at + i] =
      i === work.argmax[0] ? pi * (work.winner[0] as number) : pi * (1 - pi);
    at += classes;
  }
}
