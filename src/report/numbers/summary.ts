import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { InputFormatError } from "../../errors.js";
import { inputCall } from "../../io/system-error.js";
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
