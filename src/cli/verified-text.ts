import { messageText, shortList, shortName } from "../printable.js";
import type { VerifyReport } from "../verify.js";
import { count, duration, titled } from "./format.js";

/** Returns the result of a verification as text for a terminal. */
export function verifiedText(report: VerifyReport): string {
  const { columns, laws, problems, bytes } = report;
  const rows: [string, string][] = [
    [
      "rows",
      `${count(report.rowsChecked)} of ${count(report.rows)} recomputed in ${duration(report.durationMs)}${report.badRows > 0 ? `, ${count(report.badRows)} bad` : ""}`,
    ],
    ...columns.map((column): [string, string] => [
      column.name,
      `${mark(column.ok)} largest error ${digits(column.maxError)} ε (bound ${digits(column.bound)}), mean ${digits(column.meanRelativeErrorPercent)} %`,
    ]),
    ...laws.map((law): [string, string] => [
      law.name,
      `${mark(law.ok)} worst ${digits(law.worst)} ε`,
    ]),
  ];
  if (report.notCompared.length > 0)
    rows.push([
      "not compared",
      `${shortList(report.notCompared, shortName)}${bytes ? "" : " (use --all)"}`,
    ]);
  if (bytes)
    rows.push([
      "bytes",
      bytes.message === null
        ? "ok  all are identical to a new run"
        : bytes.compared
          ? "BAD differ from a new run, see below"
          : bytes.message,
    ]);
  const sentences = [
    ...problems,
    ...(report.otherProblems > 0
      ? [`and ${count(report.otherProblems)} more errors`]
      : []),
  ].map((problem) => `  ${messageText(problem)}\n`);
  return `${titled(`${report.output}: ${report.ok ? "OK" : "FAILED"}`, rows)}${sentences.join("")}`;
}

function mark(ok: boolean): string {
  return ok ? "ok " : "BAD";
}

function digits(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toPrecision(3);
}
