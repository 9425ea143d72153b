import type { DatasetReport } from "../dataset/dataset-report.js";
import type { DatasetDryRun } from "../dataset/run-dataset.js";
import { aligned, bytes, count, duration } from "./format.js";

/** The end of a run over a dataset, for people. */
export function datasetText(report: DatasetReport): string {
  const { status, output, shards, shardsBefore, shardsMade } = report;
  if (status === "done already")
    return `${output}: done already, ${count(shards)} parts\n`;
  const before = shardsBefore > 0 ? `, ${count(shardsBefore)} before` : "";
  const rate = (1000 * report.bytesMade) / report.durationMs;
  const rows: [string, string][] = [
    ["inputs", `${count(report.inputs)}, ${count(report.rows)} rows`],
    ["parts", `${count(shards)}: ${count(shardsMade)} made now${before}`],
    ["bytes", `${count(report.bytesMade)} (${bytes(report.bytesMade)})`],
    [
      "time",
      `${duration(report.durationMs)}, ${count(report.rowsPerSecond)} rows/s, ${bytes(rate)}/s`,
    ],
  ];
  if (report.badRowsMade > 0)
    rows.push(["bad rows", count(report.badRowsMade)]);
  return `${output}\n${aligned(rows)}`;
}

/** What a run over a dataset would do, for people. */
export function datasetPlanText(plan: DatasetDryRun): string {
  const left = plan.shards - plan.shardsDone;
  return `${plan.output} (dry run: nothing is written)\n${aligned([
    ["inputs", `${count(plan.inputs)}, ${count(plan.rows)} rows`],
    [
      "parts",
      `${count(plan.shards)}: ${count(plan.shardsDone)} done, ${count(left)} left (${count(plan.rowsLeft)} rows)`,
    ],
    ["run", plan.fingerprint],
  ])}`;
}
