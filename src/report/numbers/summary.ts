import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { InputFormatError } from "../../errors.js";
import { inputCall } from "../../io/system-error.js";
import { CopiedValues } from "../../reader/copied-values.js";
import type { Example } from "../../reader/example-decoder.js";
import {
  openResultsFile,
  type ResultsFile,
} from "../../reader/results-file.js";
import { indexOfKey } from "../../results/row-axes.js";
import type { FoundResults } from "../../show/find-results.js";
import type { ShownRow, ShownRows, SummaryNumbers } from "../output-report.js";
import type { CollectedResults } from "./collect.js";

export function summaryNumbers(
  { parts, manifest }: FoundResults,
  { first, collected, inputs, bytes, rows }: CollectedResults,
  verified: SummaryNumbers["verified"],
): SummaryNumbers {
  const { run, sources, copiedColumns } = first;
  const { examples, badRows, withoutP, entries } = collected;
  const nullIfNaN = (value: number) => (Number.isNaN(value) ? null : value);
  return {
    kind: manifest ? "dataset" : "file",
    writtenBy: run.version ?? null,
    sources: inputs,
    shards: parts.length,
    layout: run.layout,
    emit: [...run.emit],
    dtype: run.dtype,
    temperature: run.temperature,
    threshold: run.threshold,
    topK: run.topK || null,
    classes: run.classes,
    rows,
    rowsWithResults: examples - badRows,
    badRows,
    rowsSkipped: rows - examples,
    rowsWithoutP: sources.p ? withoutP : examples - badRows,
    bytes,
    entries: sources.jacobian === "entries" ? entries : null,
    droppedMax: nullIfNaN(collected.droppedMax),
    droppedSum: nullIfNaN(collected.droppedSum),
    copiedColumns: copiedColumns.map(({ name, type }) => ({ name, type })),
    skippedInputs: [...(manifest?.leftOut ?? [])],
    from: sources,
    verified,
  };
}

/** @throws InputMissingError, InputFormatError, IoError */
export function readVerifyReport(path: string): SummaryNumbers["verified"] {
  const report = readJson(path);
  const { ok, rowsChecked, columns, output } = report;
  // Version 0.1.0 wrote problems as findings.
  const problems = report.problems ?? report.findings;
  if (
    typeof ok !== "boolean" ||
    typeof rowsChecked !== "number" ||
    !Array.isArray(columns) ||
    !Array.isArray(problems)
  )
    throw new InputFormatError(
      path,
      "report",
      "not a report of softjac verify: ok, rowsChecked, columns or problems is missing",
    );
  return {
    ok,
    rowsChecked,
    output: typeof output === "string" ? basename(output) : null,
    columns: columns.map((column) => {
      const { name, ok: isOk, maxError, bound } = Object(column);
      return {
        name: String(name),
        ok: isOk === true,
        maxError: numberOrNull(maxError),
        bound: numberOrNull(bound),
      };
    }),
    problems: problems.map(String),
  };
}

function numberOrNull(value: unknown): number | null {
  return typeof value === "number" ? value : null;
}

function readJson(path: string): Record<string, unknown> {
  const text = inputCall(path, "could not be read", () =>
    readFileSync(path, "utf8"),
  );
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null)
      return value as Record<string, unknown>;
  } catch {}
  throw new InputFormatError(path, "report", "not a JSON object");
}

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
