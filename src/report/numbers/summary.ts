import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { InputFormatError } from "../../errors.js";
import { inputCall } from "../../io/system-error.js";
import type { FoundResults } from "../../show/find-results.js";
import type { SummaryNumbers } from "../output-report.js";
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
