import { softmax } from "../in-memory.js";
import type { RowSample } from "./sample-rows.js";

/** Which entries of a block are kept. */
export interface EntriesChoice {
  threshold?: number | undefined;
  topK?: number | undefined;
  temperature?: number | undefined;
}

/** Entries that a row of a sample keeps on average: counted on its sorted p, without a block. */
export function entriesPerRow(
  { rows, logits }: RowSample,
  classes: number,
  { threshold = 0, topK = Infinity, temperature = 1 }: EntriesChoice,
): number {
  if (rows === 0) return Math.min(topK, classes ** 2);
  const p = softmax(logits, { rows, classes, temperature });
  // Entries that are 0 are never kept, however low the threshold.
  const least = temperature * Math.max(threshold, Number.MIN_VALUE);
  let kept = 0;
  for (let r = 0; r < rows; r++) {
    const row = Float64Array.from(p.subarray(r * classes, (r + 1) * classes));
    kept += Math.min(topK, entriesOf(row.sort().reverse(), least));
  }
  return kept / rows;
}

/** Entries of |p_i (δ_ij - p_j)| of at least `least`; p descends. */
function entriesOf(p: Float64Array, least: number): number {
  let count = 0;
  let j = p.length;
  for (let i = 0; i < p.length; i++) {
    const own = p[i] as number;
    const others = i === 0 ? p.reduce((sum, x) => sum + x, -own) : 1 - own;
    if (own * others >= least) count++;
    while (j > 0 && own * (p[j - 1] as number) < least) j--;
    // Those before j, but for the one on the diagonal.
    count += j > i ? j - 1 : j;
  }
  return count;
}
