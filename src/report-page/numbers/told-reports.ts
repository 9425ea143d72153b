import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { InputFormatError } from "../../errors.js";
import { inputCall } from "../../system-error.js";
import type { SummaryNumbers } from "../output-report.js";

/** What the report of a run says of its time. @throws InputMissingError, InputFormatError, IoError */
export function toldOfRun(path: string): SummaryNumbers["run"] {
  const told = readJson(path);
  const { durationMs, rowsPerSecond } = told;
  if (typeof durationMs !== "number" || typeof rowsPerSecond !== "number")
    throw new InputFormatError(
      path,
      "report",
      "not a report of softjac run: durationMs or rowsPerSecond is missing",
    );
  return {
    durationMs,
    rowsPerSecond,
    threads: numberOrNull(told.threads),
    kernel: textOrNull(told.kernel),
    peakMemoryBytes: numberOrNull(told.peakMemoryBytes),
    output: nameOf(told.output),
  };
}

/** What the report of a verification says of errors. @throws the same */
export function toldOfVerification(path: string): SummaryNumbers["verified"] {
  const told = readJson(path);
  const { ok, rowsChecked, columns } = told;
  // Reports of version 0.1.0 have findings.
  const problems = told.problems ?? told.findings;
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
    output: nameOf(told.output),
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

function textOrNull(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

/** Of a file by its path. */
function nameOf(path: unknown): string | null {
  return typeof path === "string" ? basename(path) : null;
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
