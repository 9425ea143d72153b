import type { DatasetReport } from "../dataset/dataset-report.js";
import type { StaleRunsReport } from "../dataset/leftovers.js";
import type { DatasetDryRun } from "../dataset/run-dataset.js";
import type { DatasetStatus } from "../dataset/tasks.js";
import { ranges } from "../errors.js";
import { printable, shortList } from "../printable.js";
import { bytes, count, duration, titled } from "./format.js";

/** Formats the result of a run over a dataset. */
export function datasetText(report: DatasetReport): string {
  const { status, output, shards, shardsUpToDate, shardsComputed } = report;
  if (status === "up to date")
    return `${printable(output)}: up to date, ${count(shards)} shards${report.skippedInputs.length > 0 ? `, ${count(report.skippedInputs.length)} inputs skipped` : ""}\n`;
  if (status === "planned")
    return `${printable(output)}: planned, ${count(shards)} shards, ${count(shardsUpToDate)} of them done (run ${report.fingerprint})\n`;
  const before = shardsUpToDate > 0 ? `, ${count(shardsUpToDate)} before` : "";
  const rate = (1000 * report.bytesWritten) / report.durationMs;
  const known: [string, string][] = [
    ["inputs", `${count(report.inputs)}, ${count(report.rows)} rows`],
    [
      "shards",
      `${count(shards)}: ${count(shardsComputed)} computed now${before}`,
    ],
  ];
  if (report.skippedInputs.length > 0) known.push(skippedRow(report));
  if (shardsComputed === 0) return titled(output, known);
  const rows: [string, string][] = [
    ...known,
    ["bytes", `${count(report.bytesWritten)} (${bytes(report.bytesWritten)})`],
    [
      "time",
      `${duration(report.durationMs)}, ${count(report.rowsPerSecond)} rows/s, ${bytes(rate)}/s`,
    ],
  ];
  if (report.badRows > 0) rows.push(["bad rows", count(report.badRows)]);
  return titled(output, rows);
}

/** Formats a dry run over a dataset. */
export function datasetPlanText(plan: DatasetDryRun): string {
  const remaining = plan.shards - plan.shardsDone;
  return titled(`${plan.output} (dry run: nothing is written)`, [
    ["inputs", `${count(plan.inputs)}, ${count(plan.rows)} rows`],
    [
      "shards",
      `${count(plan.shards)}: ${count(plan.shardsDone)} done, ${count(remaining)} to compute (${count(plan.rowsLeft)} rows)`,
    ],
    ...(plan.skippedInputs.length > 0 ? [skippedRow(plan)] : []),
    ["run", plan.fingerprint],
  ]);
}

function skippedRow({
  skippedInputs,
}: Pick<DatasetReport, "skippedInputs">): [string, string] {
  return [
    "skipped",
    `${count(skippedInputs.length)}: ${shortList(skippedInputs, ({ name }) => name)}`,
  ];
}

/** Formats the state of a dataset. */
export function statusText(found: DatasetStatus): string {
  const { shards, shardsDone, missing, damaged } = found;
  const rows: [string, string][] = [
    ["status", found.status],
    ["inputs", `${count(found.inputs)}, ${count(found.rows)} rows`],
    ["shards", `${count(shards)}: ${count(shardsDone)} done`],
  ];
  if (missing.length > 0) rows.push(["missing", ranges(missing)]);
  if (damaged.length > 0) rows.push(["damaged", ranges(damaged)]);
  for (const { file, problem } of found.problems.slice(0, 10))
    rows.push(["", `${file} ${problem}`]);
  if (found.skippedInputs.length > 0) rows.push(skippedRow(found));
  rows.push(["run", found.fingerprint]);
  if (found.unfinished.length > 0)
    rows.push([
      "unfinished",
      `${shortList(found.unfinished)} (other runs; softjac gc removes abandoned ones)`,
    ]);
  return titled(found.output, rows);
}

/** Formats the result of gc. */
export function staleRunsText({
  dryRun,
  removed,
  kept,
  shards,
}: StaleRunsReport): string {
  const shardsOf = (path: string) =>
    shards[path] ? ` (${count(shards[path])} computed shards)` : "";
  const done = dryRun ? "would remove" : "removed";
  const stay = dryRun ? "would keep" : "kept";
  const lines = [
    ...removed.map((path) => [done, `${printable(path)}${shardsOf(path)}`]),
    ...kept.map((path) => [
      stay,
      `${printable(path)}${shardsOf(path)}: changed too recently, or in use`,
    ]),
  ].map(([what = "", path]) => `${what.padEnd(dryRun ? 12 : 7)}  ${path}`);
  return lines.length > 0 ? `${lines.join("\n")}\n` : "no stale runs\n";
}
