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
    kept += Math.min(topK, splitEntries(row, least).kept);
  return kept / sample.rows;
}

/** What a threshold leaves of the blocks of a sample. */
export interface EntriesAtThreshold {
  threshold: number;
  /** Entries kept, on average. */
  entriesPerRow: number;
  /** Of the sum of all |entries| the part that is left out. */
  droppedShare: number;
  /** The largest |entry| left out. */
  droppedMax: number;
}

/** What thresholds would leave, without a block: each costs Q a row. */
export function thresholdCurve(
  sample: RowSample,
  classes: number,
  thresholds: readonly number[],
  temperature: number,
): EntriesAtThreshold[] {
  const sums = thresholds.map(() => ({ kept: 0, dropped: 0, largest: 0 }));
  let total = 0;
  for (const row of sortedRows(sample, classes, temperature)) {
    total += splitEntries(row, Infinity).dropped;
    sums.forEach((sum, n) => {
      const least = leastKept(thresholds[n] as number, temperature);
      const { kept, dropped, largest } = splitEntries(row, least);
      sum.kept += kept;
      sum.dropped += dropped;
      sum.largest = Math.max(sum.largest, largest);
    });
  }
  return sums.map(({ kept, dropped, largest }, n) => ({
    threshold: thresholds[n] as number,
    entriesPerRow: sample.rows > 0 ? kept / sample.rows : 0,
    droppedShare: total > 0 ? dropped / total : 0,
    droppedMax: largest / temperature,
  }));
}

/** Of p_i (δ_ij - p_j). Entries that are 0 are never kept, however low the threshold. */
function leastKept(threshold: number, temperature: number): number {
  return temperature * Math.max(threshold, Number.MIN_VALUE);
}

/** p of a row, descending, and the sums of what comes from each place on, the smallest first. */
interface SortedRow {
  p: Float64Array;
  sums: Float64Array;
}

function* sortedRows(
  { rows, logits }: RowSample,
  classes: number,
  temperature: number,
): Generator<SortedRow> {
  if (rows === 0) return;
  const all = softmax(logits, { rows, classes, temperature });
  const sums = new Float64Array(classes + 1);
  for (let r = 0; r < rows; r++) {
    const own = all.subarray(r * classes, (r + 1) * classes);
    const p = Float64Array.from(own).sort().reverse();
    for (let k = classes - 1; k >= 0; k--)
      sums[k] = (sums[k + 1] as number) + (p[k] as number);
    yield { p, sums };
  }
}

/** Entries of |p_i (δ_ij - p_j)| of at least `least`: how many; of the others the sum, and the largest. */
function splitEntries(
  { p, sums }: SortedRow,
  least: number,
): { kept: number; dropped: number; largest: number } {
  let [kept, dropped, largest] = [0, 0, 0];
  const drop = (value: number) => {
    dropped += value;
    if (value > largest) largest = value;
  };
  let j = p.length;
  for (let i = 0; i < p.length; i++) {
    const own = p[i] as number;
    const diagonal = own * (i === 0 ? (sums[1] as number) : 1 - own);
    if (diagonal >= least) kept++;
    else drop(diagonal);
    while (j > 0 && own * (p[j - 1] as number) < least) j--;
    // Those before j, but for the one on the diagonal.
    kept += j > i ? j - 1 : j;
    // Those from j on, but for it; none is taken off that is not less than what it is taken off from.
    const from = (k: number) => sums[k] as number;
    const others = j > i ? from(j) : from(j) - from(i) + from(i + 1);
    dropped += own * others;
    const next = p[j === i ? j + 1 : j] ?? 0;
    if (own * next > largest) largest = own * next;
  }
  return { kept, dropped, largest };
}
