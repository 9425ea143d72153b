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
  sample: RowSample,
  classes: number,
  { threshold = 0, topK = Infinity, temperature = 1 }: EntriesChoice,
): number {
  if (sample.rows === 0) return Math.min(topK, classes ** 2);
  const least = leastKept(threshold, temperature);
  let kept = 0;
  for (const row of sortedRows(sample, classes, temperature))
    kept += Math.min(topK, countEntries(row, least));
  return kept / sample.rows;
}

/** Of p_i (δ_ij - p_j). Entries that are 0 are never kept, however low the threshold. */
function leastKept(threshold: number, temperature: number): number {
  return temperature * Math.max(threshold, Number.MIN_VALUE);
}

/** Yields p of each row, in descending order. */
function* sortedRows(
  { rows, logits }: RowSample,
  classes: number,
  temperature: number,
): Generator<Float64Array> {
  if (rows === 0) return;
  const all = softmax(logits, { rows, classes, temperature });
  for (let r = 0; r < rows; r++)
    yield Float64Array.from(all.subarray(r * classes, (r + 1) * classes))
      .sort()
      .reverse();
}

/** Counts the entries |p_i (δ_ij - p_j)| of at least `least`. */
function countEntries(p: Float64Array, least: number): number {
  const uncertainty = p.subarray(1).reduceRight((sum, own) => sum + own, 0);
  let kept = 0;
  let j = p.length;
  for (let i = 0; i < p.length; i++) {
    const own = p[i] as number;
    if (own * (i === 0 ? uncertainty : 1 - own) >= least) kept++;
    while (j > 0 && own * (p[j - 1] as number) < least) j--;
    // Classes before j, except i itself.
    kept += j > i ? j - 1 : j;
  }
  return kept;
}
