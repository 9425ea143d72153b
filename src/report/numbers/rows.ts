import { CopiedValues } from "../../reader/copied-values.js";
import type { Example } from "../../reader/example-decoder.js";
import {
  openResultsFile,
  type ResultsFile,
} from "../../reader/results-file.js";
import { indexOfKey } from "../../results/row-axes.js";
import type { FoundResults } from "../../show/find-results.js";
import type { ShownRow, ShownRows } from "../output-report.js";

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

/** Numbers of a row, copied from an Example, which is reused, and its table row. */
export interface RowSummary
  extends Omit<ShownRow, "positions" | "input" | "copied">,
    Pick<Example, "batch" | "k"> {
  fileIndex: number;
}

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
  const likely = p && likelyClasses(p);
  const numbers = { confidence, uncertainty, entropy, predicted, label };
  return { row, batch, k, fileIndex, ...numbers, likely };
}

function likelyClasses(p: ArrayLike<number>): RowSummary["likely"] {
  return Array.from(p, (value, k) => ({ class: k, p: value }))
    .sort((a, b) => b.p - a.p || a.class - b.class)
    .slice(0, SHOWN_CLASSES);
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
      const { inner, file, copiedColumns } = opened;
      const columns = copiedColumns.slice(0, MAX_COPIED_COLUMNS);
      const indices = columns.map(({ columnIndex }) => columnIndex);
      const copied = new CopiedValues(file, indices);
      for (const summary of own) {
        const { fileIndex: _, batch, k, row: key, ...numbers } = summary;
        const [row = 0, ...positions] = indexOfKey(inner, key);
        const where = { row, positions, input };
        const values = copied.read(batch, k);
        shown.set(summary, { ...where, ...numbers, copied: values });
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
