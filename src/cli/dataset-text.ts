import type { DatasetReport } from "../dataset/dataset-report.js";
import type { Leftovers } from "../dataset/leftovers.js";
import type { DatasetDryRun } from "../dataset/run-dataset.js";
import type { DatasetStatus } from "../dataset/tasks.js";
import { ranges } from "../errors.js";
import { printable, shortList } from "../printable.js";
import { bytes, count, duration, titled } from "./format.js";

/** The end of a run over a dataset, for people. */
export function datasetText(report: DatasetReport): string {
  const { status, output, shards, shardsBefore, shardsMade } = report;
  if (status === "done already")
    return `${printable(output)}: done already, ${count(shards)} parts${report.leftOut.length > 0 ? `, ${count(report.leftOut.length)} inputs left out` : ""}\n`;
  if (status === "planned")
    return `${printable(output)}: planned, ${count(shards)} parts, ${count(shardsBefore)} of them done (run ${report.fingerprint})\n`;
  const before = shardsBefore > 0 ? `, ${count(shardsBefore)} before` : "";
  const rate = (1000 * report.bytesMade) / report.durationMs;
  const known: [string, string][] = [
    ["inputs", `${count(report.inputs)}, ${count(report.rows)} rows`],
    ["parts", `${count(shards)}: ${count(shardsMade)} made now${before}`],
  ];
  if (report.leftOut.length > 0) known.push(leftOutRow(report));
  if (shardsMade === 0) return titled(output, known);
  const rows: [string, string][] = [
    ...known,
    ["bytes", `${count(report.bytesMade)} (${bytes(report.bytesMade)})`],
    [
      "time",
      `${duration(report.durationMs)}, ${count(report.rowsPerSecond)} rows/s, ${bytes(rate)}/s`,
    ],
  ];
  if (report.badRowsMade > 0)
    rows.push(["bad rows", count(report.badRowsMade)]);
  return titled(output, rows);
}

/** What a run over a dataset would do, for people. */
export function datasetPlanText(plan: DatasetDryRun): string {
  const left = plan.shards - plan.shardsDone;
  return titled(`${plan.output} (dry run: nothing is written)`, [
    ["inputs", `${count(plan.inputs)}, ${count(plan.rows)} rows`],
    [
      "parts",
      `${count(plan.shards)}: ${count(plan.shardsDone)} done, ${count(left)} left (${count(plan.rowsLeft)} rows)`,
    ],
    ...(plan.leftOut.length > 0 ? [leftOutRow(plan)] : []),
    ["run", plan.fingerprint],
  ]);
}

function leftOutRow({
  leftOut,
}: Pick<DatasetReport, "leftOut">): [string, string] {
  return [
    "left out",
    `${count(leftOut.length)}: ${shortList(leftOut, ({ name }) => name)}`,
  ];
}

/** How far a dataset is, for people. */
export function statusText(found: DatasetStatus): string {
  const { shards, shardsDone, missing, damaged } = found;
  const rows: [string, string][] = [
    ["status", found.status],
    ["inputs", `${count(found.inputs)}, ${count(found.rows)} rows`],
    ["parts", `${count(shards)}: ${count(shardsDone)} done`],
  ];
  if (missing.length > 0) rows.push(["missing", ranges(missing)]);
  if (damaged.length > 0) rows.push(["damaged", ranges(damaged)]);
  for (const { part, found: what } of found.faults.slice(0, 10))
    rows.push(["", `${part} ${what}`]);
  if (found.leftOut.length > 0) rows.push(leftOutRow(found));
  rows.push(["run", found.fingerprint]);
  if (found.unfinished.length > 0)
    rows.push([
      "unfinished",
      `${shortList(found.unfinished)} (other runs; softjac gc removes abandoned ones)`,
    ]);
  return titled(found.output, rows);
}

/** What was cleared away, for people. */
export function leftoversText({
  dryRun,
  removed,
  kept,
  parts,
}: Leftovers): string {
  const partsOf = (path: string) =>
    parts[path] ? ` (${count(parts[path])} finished parts)` : "";
  const done = dryRun ? "would remove" : "removed";
  const stay = dryRun ? "would keep" : "kept";
  const lines = [
    ...removed.map((path) => [done, `${printable(path)}${partsOf(path)}`]),
    ...kept.map((path) => [
      stay,
      `${printable(path)}${partsOf(path)}: changed too recently, or in use`,
    ]),
  ].map(([what = "", path]) => `${what.padEnd(dryRun ? 12 : 7)}  ${path}`);
  return lines.length > 0 ? `${lines.join("\n")}\n` : "nothing left over\n";
}
