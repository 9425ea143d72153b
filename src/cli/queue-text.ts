import type { DatasetReport } from "../dataset/dataset-report.js";
import type { SubmitReport } from "../queue/submit.js";
import type { WorkerReport } from "../queue/worker-report.js";
import { datasetText } from "./dataset-text.js";
import { bytes, count, duration, titled } from "./format.js";

/** Formats the result of a submission. */
export function submittedText(report: SubmitReport): string {
  if (report.status === "up to date") return datasetText(report);
  const { output, fingerprint, shards, shardsUpToDate, submitted, queued } =
    report;
  const before = shardsUpToDate > 0 ? `, ${count(shardsUpToDate)} done` : "";
  const there = queued > 0 ? `, ${count(queued)} queued before` : "";
  return titled(output, [
    ["inputs", `${count(report.inputs)}, ${count(report.rows)} rows`],
    ["shards", `${count(shards)}${before}`],
    ["queue", `${report.queue}: ${count(submitted)} submitted${there}`],
    ["run", String(fingerprint)],
  ]);
}

/** Formats the result of a wait. */
export function waitedText(report: DatasetReport): string {
  if (report.status === "up to date" || report.skippedInputs.length > 0)
    return datasetText(report);
  return titled(report.output, [
    ["inputs", `${count(report.inputs)}, ${count(report.rows)} rows`],
    ["shards", `${count(report.shards)}, published`],
    ["time", duration(report.durationMs)],
  ]);
}

/** Formats the result of a worker. */
export function workerText(report: WorkerReport): string {
  const others: [string, number][] = [
    ["up to date", report.shardsUpToDate],
    ["failed", report.shardsFailed],
    ["released", report.shardsReleased],
  ];
  const shown = others
    .filter(([, shards]) => shards > 0)
    .map(([what, shards]) => `, ${count(shards)} ${what}`)
    .join("");
  const rows: [string, string][] = [
    ["shards", `${count(report.shardsComputed)} computed${shown}`],
    ["bytes", `${count(report.bytesWritten)} (${bytes(report.bytesWritten)})`],
    ["time", duration(report.durationMs)],
  ];
  if (report.badRows > 0) rows.push(["bad rows", count(report.badRows)]);
  return titled(report.queue, rows);
}
