import type { Resolved } from "../options/check-options.js";
import type { ClassNumbers } from "./numbers/classes.js";
import type {
  CalibrationNumbers,
  ConfidenceNumbers,
} from "./numbers/confidence.js";
import type { ShownRows } from "./numbers/rows.js";
import type { SummaryNumbers } from "./numbers/summary.js";

/** Options of `report`. Only `results` and `output` are required. */
export interface ReportOptions {
  /** Path of an output file, or of the directory of a dataset. */
  results: string;
  /** Path of the HTML file to write. */
  output: string;
  /** Name of the copied column of true classes for calibration: class numbers, 0 to Q − 1, or class names. */
  label?: string | undefined;
  /** Names of the classes, in the order of the logits, for string labels; default: names stored in the results. */
  classNames?: readonly string[] | undefined;
  /** Maximum number of classes in the heatmap, 2 to 100; default: 40. */
  classes?: number | undefined;
  /** Title of the page; default: name of the results. */
  title?: string | undefined;
  /** Whether to replace an existing output file; default: false. */
  force?: boolean | undefined;
  /** Whether to wait until the output is on disk (fsync) before it is renamed into place; default: true. */
  sync?: boolean | undefined;
}

/** Validated ReportOptions with all defaults; frozen. */
export type ResolvedReportOptions = Resolved<
  ReportOptions,
  "classes" | "title" | "force" | "sync"
>;

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
