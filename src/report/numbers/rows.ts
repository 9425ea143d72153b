import { copiedValues } from "../../reader/copied-values.js";
import type { Example } from "../../reader/example-decoder.js";
import {
  openResultsFile,
  type ResultsFile,
} from "../../reader/results-file.js";
import { indexOfKey } from "../../results/row-axes.js";
import type { FoundResults } from "../../show/find-results.js";

/** Number of classes shown for a row. */
const SHOWN_CLASSES = 5;
const MAX_COPIED_COLUMNS = 12;

/** Keeps the `max` items with the largest keys, in descending order; of equal keys, the first offered. */
export class Largest<Item> {
  readonly #entries: { key: number; item: Item }[] = [];

  constructor(private readonly max: number) {}

  get items(): Item[] {
    return this.#entries.map(({ item }) => item);
  }

  /** Calls `make` only if the item is kept. */
  offer(key: number, make: () => Item): void {
    const entries = this.#entries;
    const smaller = entries.findIndex((entry) => entry.key < key);
    const index = smaller < 0 ? entries.length : smaller;
    if (index >= this.max) return;
    entries.splice(index, 0, { key, item: make() });
    entries.length = Math.min(entries.length, this.max);
  }
}

/** Numbers of a row; null for those that the output does not determine. */
export interface RowNumbers {
  confidence: number | null;
  uncertainty: number | null;
  entropy: number | null;
  predicted: number | null;
  label: number | null;
  /** Up to 5 classes with the largest p, largest first. */
  likely: { class: number; p: number }[] | null;
}

/** Numbers of a row, and where it is: its key, record batch, table row in the batch, and file. */
export interface RowSummary extends RowNumbers {
  row: number;
  batch: number;
  k: number;
  fileIndex: number;
}

/** Returns the numbers of a row, copied from an Example, which is reused, and its table row. */
export function summarizeRow(
  { row, batch, k, p, ...example }: Example,
  fileIndex: number,
): RowSummary {
  const number = (x: number) => (Number.isNaN(x) ? null : x);
  const classOf = (k: number) => (k < 0 ? null : k);
  return {
    ...{ row, batch, k, fileIndex },
    confidence: number(example.confidence),
    uncertainty: number(example.uncertainty),
    entropy: number(example.entropy),
    predicted: classOf(example.predicted),
    label: classOf(example.label),
    likely:
      p &&
      Array.from(p, (value, k) => ({ class: k, p: value }))
        .sort((a, b) => b.p - a.p || a.class - b.class)
        .slice(0, SHOWN_CLASSES),
  };
}

export interface ShownRow extends RowNumbers {
  row: number;
  /** Indices along the axes after the first; empty for rows of one axis. */
  positions: number[];
  /** Name of the input, if there are several. */
  input: string | null;
  /** Values of the copied columns as text. */
  copied: (string | null)[];
}

export interface ShownRows {
  /** Names of the shown copied columns; hiddenColumns counts the others. */
  copiedColumns: string[];
  hiddenColumns: number;
  /** 20 rows by decreasing uncertainty, or by 1 - confidence or entropy if the uncertainty is unknown. */
  mostUncertain: ShownRow[];
  reasons: string[];
}

/** Returns the rows with the values of their copied columns. */
export async function shownRows(
  results: FoundResults,
  rows: readonly RowSummary[],
  { copiedColumns, sources }: Pick<ResultsFile, "copiedColumns" | "sources">,
): Promise<ShownRows> {
  const mostUncertain: ShownRow[] = [];
  for (const [index, { path, input }] of results.parts.entries()) {
    if (!rows.some(({ fileIndex }) => fileIndex === index)) continue;
    const opened = await openResultsFile(path);
    try {
      const columns = opened.copiedColumns.slice(0, MAX_COPIED_COLUMNS);
      const indices = columns.map(({ columnIndex }) => columnIndex);
      const values = copiedValues(opened.file, indices);
      for (const [n, summary] of rows.entries()) {
        const { row: key, batch, k, fileIndex, ...numbers } = summary;
        if (fileIndex !== index) continue;
        const [row = 0, ...positions] = indexOfKey(opened.inner, key);
        const copied = values(batch, k);
        mostUncertain[n] = { row, positions, input, ...numbers, copied };
      }
    } finally {
      await opened.close();
    }
  }
  return {
    copiedColumns: copiedColumns
      .slice(0, MAX_COPIED_COLUMNS)
      .map(({ name }) => name),
    hiddenColumns: Math.max(0, copiedColumns.length - MAX_COPIED_COLUMNS),
    mostUncertain,
    reasons: reasonsOf(sources),
  };
}

function reasonsOf({
  p,
  uncertainty,
  confidence,
  entropy,
}: ResultsFile["sources"]): string[] {
  const reasons: string[] = [];
  if (!uncertainty)
    reasons.push(
      confidence || entropy
        ? `The rows are ordered by ${confidence ? "1 − confidence" : "entropy"}, because the output does not determine the uncertainty.`
        : "The most uncertain rows need the uncertainty, confidence or entropy of every row.",
    );
  if (!p) reasons.push("The output does not determine p.");
  return reasons;
}
