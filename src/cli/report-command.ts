import { REPORT_OPTIONS, type ReportOptions } from "../report-page/options.js";
import { carryOut } from "./carry-out.js";
import type { CommandSpec } from "./command.js";
import { outputReportText } from "./output-report-text.js";
import { REPORT_SETTINGS } from "./settings.js";

/** `softjac report` */
export const REPORT_COMMAND: CommandSpec = {
  name: "report",
  summary: "Write an HTML page about an output",
  usage:
    "Write an HTML page about an output file or dataset: confidence, calibration, classes and rows. The page is one file and needs no network.",
  positional: {
    option: "results",
    what: "output of softjac run",
    file: "read",
    help: "Output file, or directory of a dataset",
  },
  options: REPORT_OPTIONS,
  required: [{ option: "output", shown: "-o/--output" }],
  settings: REPORT_SETTINGS,
  examples: [
    ["jacobian.arrow -o report.html", ""],
    ["jacobian.arrow -o report.html --label label", ""],
  ],
  async execute(given, settings) {
    const { report } = await import("../report-page/report.js");
    const options = given as unknown as ReportOptions;
    return carryOut({
      command: "report",
      settings,
      output: options.output,
      make: (hooks) => report(options, hooks),
      text: outputReportText,
      // Single rows and curves are for the page, and for --json.
      logged: ({ status, output, outputBytes, summary, durationMs }) => ({
        status,
        output,
        outputBytes,
        summary,
        durationMs,
      }),
    });
  },
};
