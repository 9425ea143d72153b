import type { OptionsOf, Resolved } from "../options/options-table.js";
import type { ClassNumbers } from "./numbers/classes.js";
import type {
  CalibrationNumbers,
  ConfidenceNumbers,
} from "./numbers/confidence.js";
import type { ShownRows } from "./numbers/rows.js";
import type { SummaryNumbers } from "./numbers/summary.js";

/** Options of `report`. Only `results` and `output` are required. */
export interface ReportOptions extends OptionsOf<"report"> {}

/** Validated ReportOptions with all defaults. */
export type ResolvedReportOptions = Resolved<"report"> & { title: string };

/** Numbers of an HTML report. A number is null if the output does not determine it; `reasons` explains each. */
export interface OutputReport {
  softjac: string;
  status: "done";
  results: string;
  output: string;
  /** Size of the page in bytes. */
  outputBytes: number;
  title: string;
  summary: SummaryNumbers;
  confidence: ConfidenceNumbers;
  /** Calibration; null without `label`. */
  calibration: CalibrationNumbers | null;
  classes: ClassNumbers;
  rows: ShownRows;
  /** Duration of the call, in milliseconds. */
  durationMs: number;
  /** Peak resident memory of the process, in bytes. */
  peakMemoryBytes: number;
}

/** Numbers on the page. */
export type PageNumbers = Omit<
  OutputReport,
  "outputBytes" | "durationMs" | "peakMemoryBytes"
>;
