import type { OutputReport } from "../report-page/output-report.js";
import { bytes, count, duration, titled } from "./format.js";

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
