import type { OptionsOf, Resolved } from "../options/options-table.js";
import type { NumberSources } from "../reader/example-decoder.js";
import type { Layout } from "../results/catalogue.js";
import type { RunEmit } from "../results/emit-options.js";
import type { ClassNumbers } from "./numbers/classes.js";
import type {
  CalibrationNumbers,
  ConfidenceNumbers,
} from "./numbers/confidence.js";
import type { ShownRows } from "./numbers/rows.js";

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

export interface SummaryNumbers {
  kind: "file" | "dataset";
  /** Version of softjac that wrote the output. */
  writtenBy: string | null;
  /** Names of the inputs. */
  sources: string[];
  shards: number;
  layout: Layout;
  emit: RunEmit[];
  dtype: "float32" | "float64";
  temperature: number;
  threshold: number;
  topK: number | null;
  classes: number;
  /** Number of rows of the logits. */
  rows: number;
  rowsWithResults: number;
  badRows: number;
  /** Number of rows that the output omits. */
  rowsSkipped: number;
  bytes: number;
  /** Largest and sum of the absolute values of dropped entries. */
  droppedMax: number | null;
  droppedSum: number | null;
  copiedColumns: { name: string; type: string }[];
  /** Inputs of a dataset that were skipped, with the error of each. */
  skippedInputs: { name: string; error: string }[];
  /** Columns from which the numbers are computed. */
  from: NumberSources;
}

/** Numbers on the page. */
export type PageNumbers = Omit<
  OutputReport,
  "outputBytes" | "durationMs" | "peakMemoryBytes"
>;
