import { messageText, shortList, shortName } from "../printable.js";
import type { ByteComparison } from "../verify/compare-bytes.js";
import type { VerifyReport } from "../verify/verify.js";
import { count, duration, more, type TextRow, titled } from "./format.js";

/** Formats the report of verify. */
export function verifyText(report: VerifyReport): string {
  const { rows, rowsChecked, notCompared, otherProblems, bytes } = report;
  const time = duration(report.durationMs);
  const others = shortList(notCompared, shortName);
  const columns = report.columns.map((column): TextRow => {
    const { name, ok, maxError, bound, meanRelativeErrorPercent } = column;
    const largest = `${digits(maxError)} ε (bound ${digits(bound)})`;
    return [
      name,
      `${mark(ok)} largest error ${largest}, mean ${digits(meanRelativeErrorPercent)} %`,
    ];
  });
  const recomputed = `${count(rowsChecked)} of ${count(rows)} recomputed in ${time}`;
  const text = titled(`${report.output}: ${report.ok ? "OK" : "FAILED"}`, [
    ["rows", recomputed + more(report.badRows, "bad")],
    ...columns,
    ["not compared", others && (bytes ? others : `${others} (use --all)`)],
    ["bytes", bytes ? bytesText(bytes) : ""],
  ]);
  const problems = [...report.problems];
  if (otherProblems > 0)
    problems.push(`and ${count(otherProblems)} more errors`);
  return text + problems.map((text) => `  ${messageText(text)}\n`).join("");
}

function bytesText({ message, compared }: ByteComparison): string {
  if (message === null) return "ok  all are identical to a new run";
  return compared ? "BAD differ from a new run, see below" : message;
}

function mark(ok: boolean): string {
  return ok ? "ok " : "BAD";
}

function digits(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toPrecision(3);
}
