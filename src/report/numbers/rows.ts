import { CopiedValues } from "../../reader/copied-values.js";
import type { Example } from "../../reader/example.js";
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
  readonly #max: number;
  readonly #entries: { key: number; item: Item }[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  get items(): Item[] {
    return this.#entries.map(({ item }) => item);
  }

  /** Calls `make` only if the item is kept. */
  offer(key: number, make: () => Item): void {
    const last = this.#entries.at(-1);
    if (this.#entries.length >= this.#max && !(last && key > last.key)) return;
    const smaller = this.#entries.findIndex((entry) => entry.key < key);
    const index = smaller < 0 ? this.#entries.length : smaller;
    this.#entries.splice(index, 0, { key, item: make() });
    if (this.#entries.length > this.#max) this.#entries.pop();
  }
}

/** Numbers of a row, copied from an Example, which is reused. */
export interface RowSummary
  extends Pick<
    Example,
    | "row"
    | "batch"
    | "k"
    | "confidence"
    | "uncertainty"
    | "entropy"
    | "predicted"
    | "label"
  > {
  fileIndex: number;
  /** Classes with the largest p, in descending order; null if p is unknown. */
  likely: { class: number; p: number }[] | null;
}

export function summarizeRow(
  {
    isNull: _,
    block: __,
    droppedMax: ___,
    droppedSum: ____,
    p,
    ...example
  }: Example,
  fileIndex: number,
): RowSummary {
  return { ...example, fileIndex, likely: p && likelyClasses(p) };
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
  for (const index of new Set(rows.map(({ fileIndex }) => fileIndex)))
    await readRows(
      results,
      index,
      rows.filter(({ fileIndex }) => fileIndex === index),
      shown,
    );
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

async function readRows(
  results: FoundResults,
  fileIndex: number,
  rows: readonly RowSummary[],
  shown: Map<RowSummary, ShownRow>,
): Promise<void> {
  const { path, input } = results.parts[
    fileIndex
  ] as FoundResults["parts"][number];
  const opened = await openResultsFile(path);
  try {
    const { inner, file, copiedColumns } = opened;
    const indices = copiedColumns
      .slice(0, MAX_COPIED_COLUMNS)
      .map(({ columnIndex }) => columnIndex);
    const copied = new CopiedValues(file, indices);
    for (const row of rows) {
      const { predicted, label, likely } = row;
      const [number = 0, ...positions] = indexOfKey(inner, row.row);
      shown.set(row, {
        row: number,
        positions,
        input,
        confidence: numberOrNull(row.confidence),
        uncertainty: numberOrNull(row.uncertainty),
        entropy: numberOrNull(row.entropy),
        predicted: predicted < 0 ? null : predicted,
        label: label < 0 ? null : label,
        likely,
        copied: copied.read(row.batch, row.k),
      });
    }
  } finally {
    await opened.close();
  }
}

function numberOrNull(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}
