import type { Resolved } from "../options/check-options.js";
import type { NumberSources } from "../reader/reading-plan.js";
import type { Layout } from "../results/catalogue.js";
import type { RunEmit } from "../results/emit-options.js";

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
  /** Path of a verification report (`softjac verify --report` or `--json`) to include. */
  verifyReport?: string | undefined;
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
  /** Number of rows with results. */
  rowsWithResults: number;
  badRows: number;
  /** Number of rows that the output omits. */
  rowsSkipped: number;
  /** Number of rows with results that do not determine p. */
  rowsWithoutP: number;
  bytes: number;
  /** Number of stored entries in the layouts csr and coo, if they were read. */
  entries: number | null;
  /** Largest and sum of the absolute values of dropped entries. */
  droppedMax: number | null;
  droppedSum: number | null;
  copiedColumns: { name: string; type: string }[];
  /** Inputs of a dataset that were skipped, with the error of each. */
  skippedInputs: { name: string; error: string }[];
  from: NumberSources;
  /** Results of a verification; errors and guaranteed bounds in ε. */
  verified: {
    output: string | null;
    ok: boolean;
    rowsChecked: number;
    columns: {
      name: string;
      ok: boolean;
      maxError: number | null;
      bound: number | null;
    }[];
    problems: string[];
  } | null;
}

/** Histogram: `counts[k]` rows in the bin `[low + k width, low + (k + 1) width)`. */
export interface Bins {
  low: number;
  width: number;
  counts: number[];
}

export interface ConfidenceNumbers {
  /** Number of rows whose uncertainty or confidence is known. */
  rows: number;
  confidence: (Bins & { mean: number }) | null;
  /** Histogram of log10 of the uncertainty, without rows whose uncertainty is 0. */
  uncertainty:
    | (Bins & {
        rows: number;
        mean: number;
        min: number | null;
        max: number | null;
        /** Number of rows whose uncertainty is exactly 0. */
        zero: number;
        /** Number of rows whose 1 - max p, and so p (1 - p), rounds to 0 in that type although the uncertainty is not 0. */
        lostFloat32: number;
        lostFloat64: number;
      })
    | null;
  /** Histogram of the entropy in nats. */
  entropy: (Bins & { mean: number }) | null;
  reasons: string[];
}

export interface CalibrationNumbers {
  label: string;
  /** Number of rows with a label and p. */
  rows: number;
  /** Number of rows without a label. */
  unlabelled: number;
  accuracy: number | null;
  /** Expected calibration error with 15 bins of equal width. */
  ece: number | null;
  bins: {
    low: number;
    high: number;
    rows: number;
    confidence: number | null;
    accuracy: number | null;
  }[];
  /** Mean of -log p of the label in nats, without rows whose label has p = 0. */
  nll: number | null;
  /** Number of rows whose label has p = 0. */
  zeroP: number;
  /** Brier score: mean of the sum of (p_k - y_k)² over the classes, where y is 1 for the label and 0 elsewhere. */
  brier: number | null;
  reasons: string[];
}

export interface ClassNumbers {
  rows: number;
  /** Classes of the heatmaps, ascending. */
  shown: number[];
  /** Mean |J|, `[shown, shown]`. */
  meanJacobian: number[][] | null;
  /** Number of rows by label and predicted class, `[shown, shown]`; null without labels or p. */
  confusion: number[][] | null;
  /** Number of rows with a label and a predicted class. */
  confusionRows: number;
  /** Mean J[k,k], `[Q]`. */
  sensitivity: number[] | null;
  meanP: number[] | null;
  /** Number of rows by predicted class, by label, and by class that is both, `[Q]` each. */
  predicted: number[] | null;
  labelled: number[] | null;
  correct: number[] | null;
  reasons: string[];
}

export interface ShownRow {
  row: number;
  /** Indices along the axes after the first; empty for rows of one axis. */
  positions: readonly number[];
  /** Name of the input, if there are several. */
  input: string | null;
  confidence: number | null;
  uncertainty: number | null;
  entropy: number | null;
  predicted: number | null;
  label: number | null;
  /** Up to 5 classes with the largest p, largest first; null if the output does not determine p. */
  likely: { class: number; p: number }[] | null;
  /** Values of the copied columns as text. */
  copied: (string | null)[];
}

export interface ShownRows {
  /** Names of the shown copied columns; hiddenColumns counts the others. */
  copiedColumns: string[];
  hiddenColumns: number;
  /** 20 rows by decreasing uncertainty, or by 1 - confidence or entropy if the uncertainty is unknown. */
  mostUncertain: ShownRow[];
  reasons: string[];
}
