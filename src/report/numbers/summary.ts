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
import type { CollectedResults } from "./collect.js";

export type SummaryNumbers = ReturnType<typeof summaryNumbers>;

export function summaryNumbers(
  { parts, manifest }: FoundResults,
  { first, collected, inputs, bytes, rows }: CollectedResults,
  verified: VerifiedNumbers | null,
) {
  const { run, sources, copiedColumns } = first;
  const { examples, badRows, withoutP, entries } = collected;
  const nullIfNaN = (value: number) => (Number.isNaN(value) ? null : value);
  return {
    kind: manifest ? ("dataset" as const) : ("file" as const),
    /** Version of softjac that wrote the output. */
    writtenBy: run.version ?? null,
    /** Names of the inputs. */
    sources: inputs,
    shards: parts.length,
    layout: run.layout,
    emit: [...run.emit],
    dtype: run.dtype,
    temperature: run.temperature,
    threshold: run.threshold,
    topK: run.topK || null,
    classes: run.classes,
    /** Number of rows of the logits. */
    rows,
    rowsWithResults: examples - badRows,
    badRows,
    /** Number of rows that the output omits. */
    rowsSkipped: rows - examples,
    /** Number of rows with results that do not determine p. */
    rowsWithoutP: sources.p ? withoutP : examples - badRows,
    bytes,
    /** Number of stored entries in the layouts csr and coo, if they were read. */
    entries: sources.jacobian === "entries" ? entries : null,
    /** Largest and sum of the absolute values of dropped entries. */
    droppedMax: nullIfNaN(collected.droppedMax),
    droppedSum: nullIfNaN(collected.droppedSum),
    copiedColumns: copiedColumns.map(({ name, type }) => ({ name, type })),
    /** Inputs of a dataset that were skipped, with the error of each. */
    skippedInputs: [...(manifest?.leftOut ?? [])],
    from: sources,
    verified,
  };
}

/** Results of a verification; errors and guaranteed bounds in ε. */
export type VerifiedNumbers = ReturnType<typeof readVerifyReport>;

/** @throws InputMissingError, InputFormatError, IoError */
export function readVerifyReport(path: string) {
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
      const { name, ok: isOk, maxError, bound, unit } = Object(column);
      return {
        name: String(name),
        ok: isOk === true,
        maxError: typeof maxError === "number" ? maxError : null,
        bound: typeof bound === "number" ? bound : null,
        // Version 0.1.0 wrote no unit.
        unit: typeof unit === "string" ? unit : "ε",
      };
    }),
    problems: problems.map(String),
  };
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

export type RowSummary = ReturnType<typeof summarizeRow>;

/** Returns the numbers of a row, copied from an Example, which is reused, and its table row. */
export function summarizeRow(
  { row, batch, k, p, ...example }: Example,
  fileIndex: number,
) {
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
    /** Up to 5 classes with the largest p, largest first; null if the output does not determine p. */
    likely:
      p &&
      Array.from(p, (value, k) => ({ class: k, p: value }))
        .sort((a, b) => b.p - a.p || a.class - b.class)
        .slice(0, SHOWN_CLASSES),
  };
}

export type ShownRow = ReturnType<typeof shownRow>;

function shownRow(
  { row: key, fileIndex: _, batch, k, ...numbers }: RowSummary,
  input: string | null,
  { inner }: Pick<ResultsFile, "inner">,
  copied: CopiedValues,
) {
  const [row = 0, ...positions] = indexOfKey(inner, key);
  return {
    row,
    /** Indices along the axes after the first; empty for rows of one axis. */
    positions,
    /** Name of the input, if there are several. */
    input,
    ...numbers,
    /** Values of the copied columns as text. */
    copied: copied.read(batch, k),
  };
}

export type ShownRows = Awaited<ReturnType<typeof shownRows>>;

/** Returns the rows with the values of their copied columns. @throws SoftjacError if these cannot be read */
export async function shownRows(
  results: FoundResults,
  rows: readonly RowSummary[],
  { copiedColumns, sources }: Pick<ResultsFile, "copiedColumns" | "sources">,
) {
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
    /** Names of the shown copied columns; hiddenColumns counts the others. */
    copiedColumns: copiedColumns
      .slice(0, MAX_COPIED_COLUMNS)
      .map(({ name }) => name),
    hiddenColumns: Math.max(0, copiedColumns.length - MAX_COPIED_COLUMNS),
    /** 20 rows by decreasing uncertainty, or by 1 - confidence or entropy if the uncertainty is unknown. */
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
