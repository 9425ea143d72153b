import type { ReportOptions } from "../report-page/options.js";
import type { OutputReport } from "../report-page/output-report.js";
import { defineCommand } from "./carry-out.js";
import { bytes, count, duration, titled } from "./format.js";

/** `softjac report` */
export const REPORT_COMMAND = defineCommand({
  name: "report",
  summary: "Write an HTML page about an output",
  usage:
    "Write an HTML page about an output file or dataset: confidence, calibration, classes and rows. The page is one file and needs no network.",
  common: ["label", "classes", "output", "force", "json", "quiet"],
  examples: [
    ["jacobian.arrow -o report.html", ""],
    ["jacobian.arrow -o report.html --label label", ""],
  ],
  async make(options: ReportOptions, hooks) {
    const { report } = await import("../report-page/report.js");
    return report(options, hooks);
  },
  text: outputReportText,
  // The page and --json have rows and bins as well.
  logged: ({ status, output, outputBytes, summary, durationMs }) => ({
    status,
    output,
    outputBytes,
    summary,
    durationMs,
  }),
});

/** Returns a summary of a report as text for a terminal. */
function outputReportText(report: OutputReport): string {
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
