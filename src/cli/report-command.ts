import { REPORT_OPTIONS, type ReportOptions } from "../report-page/options.js";
import { carryOut } from "./carry-out.js";
import type { CommandSpec } from "./command.js";
import { outputReportText } from "./output-report-text.js";
import { REPORT_SETTINGS } from "./settings.js";

/** `softjac report` */
export const REPORT_COMMAND: CommandSpec = {
  name: "report",
  summary: "A page of what an output holds: one HTML file, with pictures",
  usage:
    "<results> -o <page.html>\n\nShows what a file of results, or a dataset, holds: certainty, calibration, classes, rows, sparsity. The page needs no network.",
  positional: {
    option: "results",
    what: "output of softjac run",
    file: "read",
    help: "File that softjac run made, or the folder of a dataset",
  },
  options: REPORT_OPTIONS,
  required: [{ option: "output", shown: "--output (-o)", what: "a path" }],
  settings: REPORT_SETTINGS,
  examples: [
    "jacobian.arrow -o report.html",
    "jacobian.arrow -o report.html --label label",
    "jacobian/ -o report.html --json",
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
