import { type CallCost, startClock } from "../io/report-clock.js";
import type { Layout } from "../results/catalogue.js";
import type { RunEmit } from "../results/emit-options.js";
import { ONE_AXIS, type RowAxes } from "../results/row-axes.js";
import { indexOfRow } from "../results/row-indices.js";
import { VERSION } from "../version.js";

/** Report of a run: its return value, or `report` of its error. */
export interface RunReport extends CallCost {
  /** Version of softjac. */
  softjac: string;
  status: "done" | "failed";
  input: string;
  output: string;
  /** Column of logits, or pattern of the columns. */
  column: string | null;
  layout: Layout;
  /** Names of the results, in column order. */
  emit: RunEmit[];
  temperature: number;
  dtype: "float32" | "float64" | null;
  rows: number;
  classes: number;
  /** Rows computed; all rows of the file if the run is done. */
  rowsDone: number;
  /** Number of rows without a softmax (NaN, +inf, all -inf), and the first of them. */
  badRows: number;
  firstBadRow: number | null;
  /** Number of entries written in the layouts csr and coo, and the largest and the sum of the |entries| that were dropped. */
  entries: number | null;
  droppedMax: number | null;
  droppedSum: number | null;
  inputBytes: number;
  outputBytes: number;
  recordBatches: number;
  chunks: number;
  threads: number;
  kernel: "simd" | "plain" | null;
}

/** Collects a report while a run goes on. */
export class ReportBuilder {
  readonly #cost = startClock();
  readonly #report: Omit<RunReport, keyof CallCost>;
  /** Axes of the rows that are counted. */
  axes: RowAxes = ONE_AXIS;
  /** Bytes of the output written so far. */
  bytesDone = 0;
  #firstBadRow = Number.POSITIVE_INFINITY;

  constructor(input: string, output: string) {
    this.#report = {
      softjac: VERSION,
      status: "failed",
      input,
      output,
      column: null,
      layout: "bsr",
      emit: [],
      temperature: 1,
      dtype: null,
      rows: 0,
      classes: 0,
      rowsDone: 0,
      badRows: 0,
      firstBadRow: null,
      entries: null,
      droppedMax: null,
      droppedSum: null,
      inputBytes: 0,
      outputBytes: 0,
      recordBatches: 0,
      chunks: 0,
      threads: 0,
      kernel: null,
    };
  }

  set(known: Partial<RunReport>): void {
    Object.assign(this.#report, known);
  }

  get rowsDone(): number {
    return this.#report.rowsDone;
  }

  /** Counts rows as they are done, and the bad ones among them. */
  count(rows: number, badRows: readonly number[]): void {
    const report = this.#report;
    report.rowsDone += rows;
    report.badRows += badRows.length;
    for (const row of badRows) {
      if (row >= this.#firstBadRow) continue;
      this.#firstBadRow = row;
      [report.firstBadRow = row] = indexOfRow(this.axes, row);
    }
  }

  /** What was left out of some rows' entries. */
  dropped(max: Float64Array, sum: Float64Array): void {
    const report = this.#report;
    let { droppedMax, droppedSum } = report;
    droppedMax ??= 0;
    droppedSum ??= 0;
    for (const value of max) droppedMax = Math.max(droppedMax, value);
    for (const value of sum) droppedSum += value;
    Object.assign(report, { droppedMax, droppedSum });
  }

  finish(status: RunReport["status"]): RunReport {
    const report = this.#report;
    return { ...report, status, ...this.#cost(report.rowsDone) };
  }
}
