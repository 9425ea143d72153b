import {
  type CallCost,
  type CallReport,
  startClock,
} from "../io/report-clock.js";
import type { Layout } from "../results/catalogue.js";
import type { RunEmit } from "../results/emit-options.js";
import { indexOfRow, ONE_AXIS, type RowAxes } from "../results/row-axes.js";
import { VERSION } from "../version.js";

/** Report of a run: the value that it returns, or `report` of the error that it throws. */
export interface RunReport extends CallReport {
  input: string;
  output: string;
  /** Logits column, or pattern of logits columns. */
  column: string | null;
  layout: Layout;
  /** Names of the results, in column order. */
  emit: RunEmit[];
  temperature: number;
  dtype: "float32" | "float64" | null;
  rows: number;
  classes: number;
  /** Rows computed; equals `rows` if the status is done. */
  rowsDone: number;
  /** Number of rows without a softmax (NaN, +inf, all -inf), and the first of them. */
  badRows: number;
  firstBadRow: number | null;
  /** Layouts csr and coo: number of entries written, and maximum and sum of the |entries| that were dropped. */
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

/** Collects the report of a run. */
export class ReportBuilder {
  readonly #cost = startClock();
  readonly #report: Omit<RunReport, keyof CallCost>;
  /** Axes of the rows, to report the first bad row by its index in the outermost one. */
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

  set(fields: Partial<RunReport>): void {
    Object.assign(this.#report, fields);
  }

  get rowsDone(): number {
    return this.#report.rowsDone;
  }

  /** Counts computed rows, and the bad ones among them. */
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

  /** Adds the maximum and the sum of the dropped |entries| of each of some rows. */
  countDropped(max: Float64Array, sum: Float64Array): void {
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
