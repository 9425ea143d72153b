import type { DatasetReport } from "../dataset/dataset-report.js";
import type { SubmitReport } from "../queue/submit.js";
import type { WorkerReport } from "../queue/worker-report.js";
import { datasetText } from "./dataset-text.js";
import { bytes, count, duration, titled } from "./format.js";

/** The end of a submission, for people. */
export function submittedText(report: SubmitReport): string {
  if (report.status === "done already") return datasetText(report);
  const { output, fingerprint, shards, shardsBefore, submitted, queued } =
    report;
  const before = shardsBefore > 0 ? `, ${count(shardsBefore)} done` : "";
  const there = queued > 0 ? `, ${count(queued)} in it before` : "";
  return titled(output, [
    ["inputs", `${count(report.inputs)}, ${count(report.rows)} rows`],
    ["parts", `${count(shards)}${before}`],
    ["queue", `${report.queue}: ${count(submitted)} put into it${there}`],
    ["run", String(fingerprint)],
  ]);
}

/** The end of a wait, for people. */
export function waitedText(report: DatasetReport): string {
  if (report.status === "done already" || report.leftOut.length > 0)
    return datasetText(report);
  return titled(report.output, [
    ["inputs", `${count(report.inputs)}, ${count(report.rows)} rows`],
    ["parts", `${count(report.shards)}, published`],
    ["time", duration(report.durationMs)],
  ]);
}

/** The end of a worker, for people. */
export function workerText(report: WorkerReport): string {
  const others: [string, number][] = [
    ["done already", report.shardsDoneAlready],
    ["failed", report.shardsFailed],
    ["handed back", report.shardsHandedBack],
  ];
  const shown = others
    .filter(([, parts]) => parts > 0)
    .map(([what, parts]) => `, ${count(parts)} ${what}`)
    .join("");
  const rows: [string, string][] = [
    ["parts", `${count(report.shardsMade)} made${shown}`],
    ["bytes", `${count(report.bytesMade)} (${bytes(report.bytesMade)})`],
    ["time", duration(report.durationMs)],
  ];
  if (report.badRowsMade > 0)
    rows.push(["bad rows", count(report.badRowsMade)]);
  return titled(report.queue, rows);
}
