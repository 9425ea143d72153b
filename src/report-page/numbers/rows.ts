import { blockOfP } from "../../reader/block-entries.js";
import type { Example } from "../../reader/example.js";
import type { FoundResults } from "../../reader/find-results.js";
import { KeptValues } from "../../reader/kept-values.js";
import {
  openResultsPart,
  type ResultsPart,
} from "../../reader/results-part.js";
import { indexOfKey, rowOfKey } from "../../results/row-axes.js";
import type { ShownRow, ShownRows } from "../output-report.js";
import { storedDiagonal } from "./classes.js";

/** Number of classes that are shown for a row: all if there are at most this many, otherwise those with the largest p. */
export const SHOWN_CLASSES = 16;
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
    | "winner"
    | "label"
  > {
  /** Index of its file. */
  part: number;
  /** Shown classes, ascending, and p of each. */
  classes: number[];
  p: number[] | null;
}

export function summarizeRow(
  { isNull: _, block, droppedMax: __, droppedSum: ___, p, ...example }: Example,
  part: number,
  classes: number,
): RowSummary {
  const shown = shownClasses(p ?? storedDiagonal(block, classes), classes);
  return {
    ...example,
    part,
    classes: shown,
    p: p && shown.map((j) => p[j] as number),
  };
}

function shownClasses(
  weights: ArrayLike<number> | null,
  classes: number,
): number[] {
  const all = Array.from({ length: classes }, (_, k) => k);
  if (classes <= SHOWN_CLASSES) return all;
  if (!weights) return [];
  return all
    .sort((a, b) => (weights[b] as number) - (weights[a] as number) || a - b)
    .slice(0, SHOWN_CLASSES)
    .sort((a, b) => a - b);
}

/** Reads the blocks and copied columns of rows. @throws SoftjacError if they cannot be read */
export async function shownRows(
  results: FoundResults,
  rows: readonly RowSummary[],
  {
    copiedColumns,
    run,
    sources,
  }: Pick<ResultsPart, "copiedColumns" | "run" | "sources">,
): Promise<ShownRows> {
  const shown = new Map<RowSummary, ShownRow>();
  for (const part of new Set(rows.map((row) => row.part)))
    await readRows(
      results,
      part,
      rows.filter((row) => row.part === part),
      shown,
    );
  const hasBlocks = run.emit.includes("jacobian");
  return {
    copiedColumns: copiedColumns
      .slice(0, MAX_COPIED_COLUMNS)
      .map(({ name }) => name),
    hiddenColumns: Math.max(0, copiedColumns.length - MAX_COPIED_COLUMNS),
    blockFrom: hasBlocks ? "output" : sources.p ? "p" : null,
    mostUncertain: rows.map((row) => shown.get(row) as ShownRow),
    reasons: reasonsOf(hasBlocks, sources),
  };
}

function reasonsOf(
  hasBlocks: boolean,
  { p, uncertainty, confidence, entropy }: ResultsPart["sources"],
): string[] {
  const reasons: string[] = [];
  if (!uncertainty)
    reasons.push(
      confidence || entropy
        ? `The rows are ordered by ${confidence ? "1 − confidence" : "entropy"}, because the output does not determine the uncertainty.`
        : "The most uncertain rows need the uncertainty, confidence or entropy of every row.",
    );
  if (!p) reasons.push("The output does not determine p.");
  if (!hasBlocks)
    reasons.push(
      p
        ? "The output has no blocks of softmax; the blocks shown are computed from p."
        : "The output has no blocks of softmax.",
    );
  return reasons;
}

async function readRows(
  results: FoundResults,
  part: number,
  rows: readonly RowSummary[],
  shown: Map<RowSummary, ShownRow>,
): Promise<void> {
  const { path, input } = results.parts[part] as FoundResults["parts"][number];
  const opened = await openResultsPart(path);
  try {
    const { run, inner, file, copiedColumns } = opened;
    const places = copiedColumns
      .slice(0, MAX_COPIED_COLUMNS)
      .map(({ place }) => place);
    const copied = new KeptValues(file, places);
    const reader = run.emit.includes("jacobian")
      ? await opened.openBlocks("jacobian")
      : null;
    const isSparse = run.layout === "csr" || run.layout === "coo";
    for (const row of rows) {
      const { classes, p, winner, label } = row;
      const [number = 0, ...positions] = indexOfKey(inner, row.row);
      const block =
        classes.length === 0
          ? null
          : reader
            ? await reader.part(rowOfKey(inner, row.row), classes)
            : blockOfP(row, run.temperature);
      shown.set(row, {
        row: number,
        positions,
        input,
        confidence: numberOrNull(row.confidence),
        uncertainty: numberOrNull(row.uncertainty),
        entropy: numberOrNull(row.entropy),
        predicted: winner < 0 ? null : winner,
        label: label < 0 ? null : label,
        classes,
        p,
        block: block && triangleOf(block, classes.length, isSparse),
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

/** Returns the upper triangle. In a sparse layout, 0 is null: the entry was dropped, or is 0. */
function triangleOf(
  block: Float64Array,
  classes: number,
  isSparse: boolean,
): (number | null)[] {
  const triangle: (number | null)[] = [];
  for (let a = 0; a < classes; a++)
    for (let b = a; b < classes; b++) {
      const value = block[a * classes + b] as number;
      // JSON has no -0.
      triangle.push(isSparse && value === 0 ? null : value + 0);
    }
  return triangle;
}
