import type { NumberSources } from "../output-rows/reading-plan.js";
import type { Layout } from "../results/catalogue.js";
import type { RunEmit } from "../results/emit-options.js";

/** What an output holds, in numbers: all that its page shows. null: the output does not tell; `lacks` says why. */
export interface OutputReport {
  softjac: string;
  status: "done";
  results: string;
  output: string;
  /** Of the page. */
  outputBytes: number;
  title: string;
  seed: number;
  summary: SummaryNumbers;
  certainty: CertaintyNumbers;
  /** null: no label was named. */
  calibration: CalibrationNumbers | null;
  classes: ClassNumbers;
  rows: ShownRows;
  sparsity: SparsityNumbers;
  /** From the call to the return, in milliseconds. */
  durationMs: number;
  /** The process's peak resident memory, in bytes. */
  peakMemoryBytes: number;
}

export interface SummaryNumbers {
  kind: "file" | "dataset";
  /** Version of softjac that wrote it. */
  writtenBy: string | null;
  /** Inputs by name. */
  sources: string[];
  parts: number;
  layout: Layout;
  emit: RunEmit[];
  dtype: "float32" | "float64";
  temperature: number;
  threshold: number;
  topK: number | null;
  classes: number;
  /** Of the logits. */
  rows: number;
  /** Rows that have results. */
  rowsWithResults: number;
  /** Rows that are null, and rows that the output does not have. */
  badRows: number;
  rowsLeftOut: number;
  /** Rows with results whose p could not be had from them. */
  rowsWithoutP: number;
  bytes: number;
  /** Layouts csr and coo, where they were read: entries kept; of those left out the largest |value| and the sum. */
  entries: number | null;
  droppedMax: number | null;
  droppedSum: number | null;
  keptColumns: { name: string; type: string }[];
  /** Inputs of a dataset that have no results, and why. */
  inputsLeftOut: { name: string; error: string }[];
  from: NumberSources;
  /** From the report of the run; `output`: the name of that which it tells of. */
  run: {
    output: string | null;
    durationMs: number;
    rowsPerSecond: number;
    threads: number | null;
    kernel: string | null;
    peakMemoryBytes: number | null;
  } | null;
  /** From the report of a verification: errors in ε beside the bounds that are promised. */
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
    findings: string[];
  } | null;
}

/** How many rows fall into bins `[low + k width, low + (k + 1) width)`. */
export interface Bins {
  low: number;
  width: number;
  counts: number[];
}

export interface CertaintyNumbers {
  /** Rows whose uncertainty, or at least confidence, is known. */
  rows: number;
  confidence: (Bins & { mean: number }) | null;
  /** log10 of the uncertainty, of rows where it is not 0. */
  uncertainty:
    | (Bins & {
        rows: number;
        mean: number;
        least: number | null;
        largest: number | null;
        /** Rows where one class has all. */
        zero: number;
        /** Rows whose 1 - p is 0 in that type, though the uncertainty is not: p (1 - p) of the winner would be lost. */
        lostFloat32: number;
        lostFloat64: number;
      })
    | null;
  /** In nats. */
  entropy: (Bins & { mean: number }) | null;
  lacks: string[];
}

export interface CalibrationNumbers {
  label: string;
  /** Rows with a label and p. */
  rows: number;
  /** Rows whose label is no class. */
  unlabelled: number;
  accuracy: number | null;
  /** Expected calibration error, 15 bins of equal width. */
  ece: number | null;
  bins: {
    low: number;
    high: number;
    rows: number;
    confidence: number | null;
    accuracy: number | null;
  }[];
  /** Mean of -log p of the label, in nats, over rows where that is not 0. */
  nll: number | null;
  /** Rows whose label has p = 0. */
  impossible: number;
  temperature: TemperatureNumbers | null;
  lacks: string[];
}

/** What dividing the logits by another T would change, beside the T that they were divided by. */
export interface TemperatureNumbers {
  rows: number;
  /** Whether they are a random choice. */
  isSample: boolean;
  curve: { temperature: number; nll: number; ece: number }[];
  now: { temperature: 1; nll: number; ece: number };
  /** Of least NLL; `atEnd`: the search ended where it may not go on. */
  best: { temperature: number; nll: number; ece: number; atEnd: boolean };
}

export interface ClassNumbers {
  rows: number;
  /** Classes of the heatmap, in its order. */
  shown: number[];
  /** `[shown, shown]`: mean |J|, in that order; null: not known. */
  meanJacobian: number[][] | null;
  /** Pairs of shown classes that trade most. */
  pairs: { i: number; j: number; mean: number }[];
  /** `[Q]` each: mean J[k,k], mean p, rows whose largest p it is, rows labelled so, and both. */
  sensitivity: number[] | null;
  meanP: number[] | null;
  predicted: number[] | null;
  labelled: number[] | null;
  correct: number[] | null;
  lacks: string[];
}

/** One row, as it is shown. */
export interface ShownRow {
  row: number;
  /** Its input, where there are several. */
  input: string | null;
  confidence: number | null;
  uncertainty: number | null;
  entropy: number | null;
  predicted: number | null;
  label: number | null;
  /** Ascending; all of few, else those of the largest p. */
  classes: number[];
  p: number[] | null;
  /** Upper triangle of the block of these classes, row by row; null inside: left out of the output. */
  block: (number | null)[] | null;
  /** As text, in the order of the kept columns; null: null. */
  kept: (string | null)[];
}

export interface ShownRows {
  /** Kept columns that are shown, and how many are not. */
  keptColumns: string[];
  keptColumnsLeftOut: number;
  /** What the blocks are: the output's own, or made of p. */
  blockFrom: "output" | "p" | null;
  surest: ShownRow[];
  mostTorn: ShownRow[];
  random: ShownRow[];
  lacks: string[];
}

export interface SparsityNumbers {
  /** Rows that it is from. */
  rows: number;
  isSample: boolean;
  curve: {
    threshold: number;
    entriesPerRow: number;
    droppedShare: number;
    droppedMax: number;
    csrBytes: number | null;
    cooBytes: number | null;
  }[];
  /** Outputs with the layout's default results, and without kept columns, of all rows. */
  layouts: { layout: Layout; bytes: number | null; note: string | null }[];
  lacks: string[];
}
