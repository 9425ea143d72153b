import type { DatasetReport } from "../dataset/dataset-report.js";
import type { DatasetDryRun } from "../dataset/run-dataset.js";
import type { StaleRunsReport } from "../dataset/stale-runs.js";
import type { DatasetStatus } from "../dataset/tasks.js";
import { ranges } from "../errors.js";
import { printable, shortList } from "../printable.js";
import type { SubmitReport } from "../queue/submit.js";
import type { WorkerReport } from "../queue/worker.js";
import {
  count,
  duration,
  exactBytes,
  more,
  numberOf,
  type TextRow,
  timeAndRates,
  titled,
} from "./format.js";

/** Formats the report of a dataset run. */
export function datasetText(report: DatasetReport): string {
  const { status, output, shards, shardsUpToDate, shardsComputed } = report;
  if (status === "up to date")
    return `${printable(output)}: up to date, ${numberOf(shards, "shard")}${more(report.skippedInputs.length, report.skippedInputs.length === 1 ? "input skipped" : "inputs skipped")}\n`;
  if (status === "planned")
    return `${printable(output)}: planned, ${numberOf(shards, "shard")}, ${count(shardsUpToDate)} of them done (run ${report.fingerprint})\n`;
  const computed = `${count(shardsComputed)} computed now${more(shardsUpToDate, "before")}`;
  const rows: TextRow[] = [
    ["inputs", inputsOf(report)],
    ["shards", `${count(shards)}: ${computed}`],
    ["skipped", skippedOf(report)],
  ];
  if (shardsComputed > 0)
    rows.push(
      ["bytes", exactBytes(report.bytesWritten)],
      ["time", timeAndRates(report, report.bytesWritten)],
      ["bad rows", badRowsOf(report)],
    );
  return titled(output, rows);
}

/** Formats a dry run of a dataset. */
export function datasetDryRunText(plan: DatasetDryRun): string {
  const { shards, shardsDone, shardsLeft, rowsLeft } = plan;
  const left = `${count(shardsLeft)} to compute (${numberOf(rowsLeft, "row")})`;
  return titled(`${plan.output} (dry run: nothing is written)`, [
    ["inputs", inputsOf(plan)],
    ["shards", `${count(shards)}: ${count(shardsDone)} done, ${left}`],
    ["skipped", skippedOf(plan)],
    ["run", plan.fingerprint],
  ]);
}

/** Formats the status of a dataset. */
export function statusText(found: DatasetStatus): string {
  const { shards, shardsDone, missing, damaged, problems, unfinished } = found;
  const skipped = shards - shardsDone - missing.length - damaged.length;
  const others = `${shortList(unfinished)} (other runs; softjac gc removes abandoned ones)`;
  return titled(found.output, [
    ["status", found.status],
    ["inputs", inputsOf(found)],
    [
      "shards",
      `${count(shards)}: ${count(shardsDone)} done${more(skipped, "of skipped inputs")}`,
    ],
    ["missing", shardsText(missing)],
    ["damaged", shardsText(damaged)],
    ...problems.slice(0, 10).map(({ file, problem }, n) => {
      // Files without a shard have no numbers in front of them.
      const label = n === 0 && damaged.length === 0 ? "damaged" : "";
      return [label, `${file} ${problem}`] as const;
    }),
    ["skipped", skippedOf(found)],
    ["run", found.fingerprint],
    ["unfinished", unfinished.length > 0 ? others : ""],
  ]);
}

function shardsText(numbers: readonly number[]): string {
  if (numbers.length === 0) return "";
  return `${numbers.length === 1 ? "shard" : "shards"} ${ranges(numbers)}`;
}

/** Formats the report of gc. */
export function gcText(report: StaleRunsReport): string {
  const { dryRun, removed, kept, shards } = report;
  const line = (label: string, path: string, end = "") => {
    const number = shards[path] ?? 0;
    const computed = number > 0 ? ` (${count(number)} computed shards)` : "";
    return `${label}  ${printable(path)}${computed}${end}\n`;
  };
  const [remove, keep] = dryRun
    ? (["would remove", "would keep  "] as const)
    : (["removed", "kept   "] as const);
  const reason = ": changed too recently, or in use";
  const lines = removed.map((path) => line(remove, path));
  lines.push(...kept.map((path) => line(keep, path, reason)));
  return lines.join("") || "no stale runs\n";
}

/** Formats the report of submit. */
export function submitText(report: SubmitReport): string {
  if (report.status === "up to date") return datasetText(report);
  const { shards, shardsUpToDate, submitted, queued } = report;
  const jobs = `${count(submitted)} submitted${more(queued, "queued before")}`;
  return titled(report.output, [
    ["inputs", inputsOf(report)],
    ["shards", `${count(shards)}${more(shardsUpToDate, "done")}`],
    ["queue", `${report.queue}: ${jobs}`],
    ["run", String(report.fingerprint)],
  ]);
}

/** Formats the report of wait. */
export function waitText(report: DatasetReport): string {
  if (report.status === "up to date" || report.skippedInputs.length > 0)
    return datasetText(report);
  return titled(report.output, [
    ["inputs", inputsOf(report)],
    ["shards", `${count(report.shards)}, published`],
    ["time", duration(report.durationMs)],
  ]);
}

/** Formats the report of a worker. */
export function workerText(report: WorkerReport): string {
  const done = more(report.shardsUpToDate, "up to date");
  const failed = more(report.shardsFailed, "failed");
  const released = more(report.shardsReleased, "released");
  const shards = `${count(report.shardsComputed)} computed${done}${failed}${released}`;
  return titled(report.queue, [
    ["shards", shards],
    ["bytes", exactBytes(report.bytesWritten)],
    ["time", duration(report.durationMs)],
    ["bad rows", badRowsOf(report)],
  ]);
}

function inputsOf({ inputs, rows }: Pick<DatasetReport, "inputs" | "rows">) {
  return `${count(inputs)}, ${numberOf(rows, "row")}`;
}

function skippedOf({ skippedInputs }: Pick<DatasetReport, "skippedInputs">) {
  const names = shortList(skippedInputs, ({ name }) => name);
  return names && `${count(skippedInputs.length)}: ${names}`;
}

function badRowsOf({ badRows }: Pick<DatasetReport, "badRows">) {
  return badRows > 0 ? count(badRows) : "";
}
