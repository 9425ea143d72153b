import { CopiedValues } from "../../reader/copied-values.js";
import type { Example } from "../../reader/example.js";
import {
  openResultsFile,
  type ResultsFile,
} from "../../reader/results-file.js";
import { indexOfKey } from "../../results/row-axes.js";
import type { FoundResults } from "../../show/find-results.js";
import type { ShownRow, ShownRows } from "../output-report.js";

/** Number of classes that are shown for a row: those with the largest p. */
const SHOWN_CLASSES = 5;
const MAX_COPIED_COLUMNS = 12;

/** Keeps the items with the largest keys, largest first; of equal keys those that came first. */
export class Largest<Item> {
  readonly #max: number;
  readonly #found: { key: number; item: Item }[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  get items(): Item[] {
    return this.#found.map(({ item }) => item);
  }

  /** Calls `make` only if the item is kept. */
  offer(key: number, make: () => Item): void {
    const last = this.#found.at(-1);
    if (this.#found.length >= this.#max && !(last && key > last.key)) return;
    const after = this.#found.findIndex((other) => other.key < key);
    const at = after < 0 ? this.#found.length : after;
    this.#found.splice(at, 0, { key, item: make() });
    if (this.#found.length > this.#max) this.#found.pop();
  }
}

/** A copy of the numbers of a row that may be shown, and its position. */
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
  /** Index of its file. */
  part: number;
  /** Classes with the largest p, largest first; null if p is not known. */
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
  part: number,
): RowSummary {
  return { ...example, part, likely: p && likelyClasses(p) };
}

function likelyClasses(p: ArrayLike<number>): RowSummary["likely"] {
  return Array.from(p, (value, k) => ({ class: k, p: value }))
    .sort((a, b) => b.p - a.p || a.class - b.class)
    .slice(0, SHOWN_CLASSES);
}

/** Reads the copied columns of rows. @throws SoftjacError if they cannot be read */
export async function shownRows(
  results: FoundResults,
  rows: readonly RowSummary[],
  { copiedColumns, sources }: Pick<ResultsFile, "copiedColumns" | "sources">,
): Promise<ShownRows> {
  const shown = new Map<RowSummary, ShownRow>();
  for (const part of new Set(rows.map((row) => row.part)))
    await readRows(
      results,
      part,
      rows.filter((row) => row.part === part),
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
  part: number,
  rows: readonly RowSummary[],
  shown: Map<RowSummary, ShownRow>,
): Promise<void> {
  const { path, input } = results.parts[part] as FoundResults["parts"][number];
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
