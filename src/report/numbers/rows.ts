import { CopiedValues } from "../../reader/copied-values.js";
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
  const [confidence = null, uncertainty = null, entropy = null] = [
    example.confidence,
    example.uncertainty,
    example.entropy,
  ].map((value) => (Number.isNaN(value) ? null : value));
  const [predicted = null, label = null] = [
    example.predicted,
    example.label,
  ].map((k) => (k < 0 ? null : k));
  const numbers = { confidence, uncertainty, entropy, predicted, label };
  return {
    ...{ row, batch, k, fileIndex },
    ...numbers,
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

function shownRow(
  { row: key, fileIndex: _, batch, k, ...numbers }: RowSummary,
  input: string | null,
  { inner }: Pick<ResultsFile, "inner">,
  copied: CopiedValues,
): ShownRow {
  const [row = 0, ...positions] = indexOfKey(inner, key);
  return { row, positions, input, ...numbers, copied: copied.read(batch, k) };
}

export interface ShownRows {
  /** Names of the shown copied columns; hiddenColumns counts the others. */
  copiedColumns: string[];
  hiddenColumns: number;
  /** 20 rows by decreasing uncertainty, or by 1 - confidence or entropy if the uncertainty is unknown. */
  mostUncertain: ShownRow[];
  reasons: string[];
}

/** Returns the rows with the values of their copied columns. @throws SoftjacError if these cannot be read */
export async function shownRows(
  results: FoundResults,
  rows: readonly RowSummary[],
  { copiedColumns, sources }: Pick<ResultsFile, "copiedColumns" | "sources">,
): Promise<ShownRows> {
  const shown = new Map<RowSummary, ShownRow>();
  for (const [fileIndex, { path, input }] of results.parts.entries()) {
    const own = rows.filter((row) => row.fileIndex === fileIndex);
    if (own.length === 0) continue;
    const opened = await openResultsFile(path);
    try {
      const columns = opened.copiedColumns.slice(0, MAX_COPIED_COLUMNS);
      const indices = columns.map(({ columnIndex }) => columnIndex);
      const copied = new CopiedValues(opened.file, indices);
      for (const summary of own)
        shown.set(summary, shownRow(summary, input, opened, copied));
    } finally {
      await opened.close();
    }
  }
  return {
    copiedColumns: copiedColumns
      .slice(0, MAX_COPIED_COLUMNS)
      .map(({ name }) => name),
    hiddenColumns: Math.max(0, copiedColumns.length - MAX_COPIED_COLUMNS),
    mostUncertain: rows.map((row) => shown.get(row) as ShownRow),
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
