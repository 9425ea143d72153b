import type { DryRun } from "../dry-run.js";
import type { GenerateReport } from "../generate/generate.js";
import type { OutputSize } from "../layout-sizes.js";
import type { RunReport } from "../report.js";
import type { OutputReport } from "../report-page/output-report.js";
import { aligned, bytes, count, duration, titled } from "./format.js";

/** Returns a summary of a run as text for a terminal. */
export function reportText(report: RunReport): string {
  const rows: [string, string][] = [
    ["rows", `${count(report.rows)} x ${count(report.classes)} classes`],
    ["results", `${names(report.emit)} (${report.layout}, ${report.dtype})`],
    ...bytesAndTime(report),
  ];
  if (report.entries !== null)
    rows.push([
      "entries",
      `${count(report.entries)}, largest dropped ${report.droppedMax?.toPrecision(3)}`,
    ]);
  if (report.kernel === "plain")
    rows.push(["kernel", "plain JavaScript (slower, same bits)"]);
  if (report.badRows > 0)
    rows.push([
      "bad rows",
      `${count(report.badRows)}, first at row ${report.firstBadRow}`,
    ]);
  return titled(
    report.output === "-" ? "standard output" : report.output,
    rows,
  );
}

/** Returns a summary of a generated file as text for a terminal. */
export function generatedText(report: GenerateReport): string {
  const { kind, scale, seed, dtype } = report;
  const law = scale === null ? kind : `${kind}, scale ${scale}`;
  return titled(report.output, [
    ["rows", `${count(report.rows)} x ${count(report.classes)} classes`],
    ["logits", `${law}, seed ${seed} (${dtype})`],
    ...bytesAndTime(report),
  ]);
}

function bytesAndTime(
  report: RunReport | GenerateReport,
): [label: string, value: string][] {
  const { outputBytes, durationMs, rowsPerSecond } = report;
  const rate = (1000 * outputBytes) / durationMs;
  return [
    ["bytes", `${count(outputBytes)} (${bytes(outputBytes)})`],
    [
      "time",
      `${duration(durationMs)}, ${count(rowsPerSecond)} rows/s, ${bytes(rate)}/s`,
    ],
  ];
}

/** Returns a summary of a report as text for a terminal. */
export function outputReportText(report: OutputReport): string {
  const { output, outputBytes, results, summary, confidence } = report;
  const rows: [string, string][] = [
    ["page", bytes(outputBytes)],
    [
      "shows",
      `${results}: ${count(summary.rowsWithResults)} rows of ${count(summary.classes)} classes, ${summary.layout}`,
    ],
  ];
  if (confidence.uncertainty)
    rows.push([
      "saturated",
      `${count(confidence.uncertainty.lostFloat32)} rows whose 1 - p is 0 in float32, ${count(confidence.uncertainty.lostFloat64)} in float64`,
    ]);
  const { calibration } = report;
  if (calibration && calibration.ece !== null)
    rows.push([
      "calibration",
      `ECE ${calibration.ece.toPrecision(3)}, NLL ${calibration.nll?.toPrecision(4) ?? "infinite"}, Brier score ${calibration.brier?.toPrecision(3)}`,
    ]);
  rows.push(["time", duration(report.durationMs)]);
  return titled(output, rows);
}

/** Returns a plan as text for a terminal. */
export function dryRunText(plan: DryRun): string {
  const blocks =
    plan.blockRowsPerTile < plan.classes
      ? `, each Jacobian block in tiles of ${count(plan.blockRowsPerTile)} rows`
      : "";
  const text = titled(`${plan.output} (dry run: nothing is written)`, [
    [
      "input",
      `${plan.input}, ${bytes(plan.inputBytes)}, column ${plan.column} (${plan.storage}, ${plan.sourceDtype})`,
    ],
    ["rows", `${count(plan.rows)} x ${count(plan.classes)} classes`],
    [
      "output",
      `${names(plan.emit)} (${plan.layout}, ${plan.dtype}), ${
        plan.outputBytes === null
          ? `at most ${bytes(plan.maxOutputBytes)}`
          : `${count(plan.outputBytes)} bytes (${bytes(plan.outputBytes)})`
      }`,
    ],
    [
      "record batches",
      plan.recordBatches === null || plan.largestBodyBytes === null
        ? `of at most ${count(plan.rowsPerRecordBatch)} table rows`
        : `${count(plan.recordBatches)} of ${count(plan.rowsPerRecordBatch)} rows, bodies up to ${bytes(plan.largestBodyBytes)}`,
    ],
    [
      "chunks",
      plan.chunks === null
        ? `of at most ${count(plan.rowsPerChunk)} rows`
        : `${count(plan.chunks)} of ${count(plan.rowsPerChunk)} rows, in row blocks of ${count(plan.rowsPerRowBlock)}${blocks}`,
    ],
    [
      "threads",
      plan.threads === 0 ? "none (small input)" : count(plan.threads),
    ],
    [
      "memory",
      `${bytes(plan.memoryBytes)}: ${count(plan.slots)} ${plan.slots === 1 ? "slot" : "slots"} of ${bytes(plan.slotBytes)}`,
    ],
  ]);
  return `${text}\n  columns, bytes per row and in all:\n${sizes(plan.columns)}\n  layouts, bytes per row and in all:\n${sizes(plan.layouts)}`;
}

/** Returns lines of a table: a name, bytes of one row, and bytes of all. */
export function sizes(found: readonly OutputSize[]): string {
  return aligned(
    found.map(({ name, bytesPerRow, bytes, exact }) => [
      name,
      [bytesPerRow, bytes]
        .map((n) => `${exact ? "" : "at most "}${count(n)}`.padStart(24))
        .join(""),
    ]),
  );
}

/** As many as a line holds. */
function names(emit: readonly string[]): string {
  const more = emit.length - 5;
  return more > 0
    ? `${emit.slice(0, 5).join(", ")} and ${more} more`
    : emit.join(", ");
}
