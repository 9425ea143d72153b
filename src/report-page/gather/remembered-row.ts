import type { Example } from "../../output-rows/example.js";

/** Classes of a row that are shown: all of few, else those with most. */
export const SHOWN_CLASSES = 16;

/** A row that will be shown: where it stands, and its numbers. */
export interface RememberedRow {
  part: number;
  row: number;
  batch: number;
  k: number;
  confidence: number;
  uncertainty: number;
  entropy: number;
  winner: number;
  label: number;
  /** Ascending; `p` goes with them. */
  classes: number[];
  p: number[] | null;
}

export function rememberRow(
  {
    row,
    batch,
    k,
    confidence,
    uncertainty,
    entropy,
    winner,
    label,
    p,
    block,
  }: Example,
  part: number,
  classes: number,
): RememberedRow {
  const weights = p ?? diagonalOf(block, classes);
  const shown = largest(weights, classes);
  return {
    part,
    row,
    batch,
    k,
    confidence,
    uncertainty,
    entropy,
    winner,
    label,
    classes: shown,
    p: p && shown.map((j) => p[j] as number),
  };
}

/** What is kept of it, where blocks are all that there is. */
function diagonalOf(
  block: Example["block"],
  classes: number,
): ArrayLike<number> | null {
  if (block?.kind !== "entries") return null;
  const diagonal = new Float64Array(classes);
  for (let n = 0; n < block.values.length; n++) {
    const index = block.indices[n] as number;
    if (index % (classes + 1) === 0)
      diagonal[index / (classes + 1)] = block.values[n] as number;
  }
  return diagonal;
}

function largest(weights: ArrayLike<number> | null, classes: number): number[] {
  const all = Array.from({ length: classes }, (_, k) => k);
  if (classes <= SHOWN_CLASSES) return all;
  if (!weights) return [];
  return all
    .sort((a, b) => (weights[b] as number) - (weights[a] as number) || a - b)
    .slice(0, SHOWN_CLASSES)
    .sort((a, b) => a - b);
}
