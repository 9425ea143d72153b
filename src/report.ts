import type { Layout } from "./results/catalogue.js";
import type { RunEmit } from "./results/emit-options.js";

/** What a run did: returned when it succeeds, `report` on its error when it fails. */
export interface RunReport {
  softjac: string;
  status: "done" | "failed";
  input: string;
  output: string;
  /** Columns that held the logits. */
  column: string | null;
  layout: Layout;
  /** Columns of results, as asked for. */
  emit: RunEmit[];
  temperature: number;
  dtype: "float32" | "float64" | null;
  rows: number;
  classes: number;
  /** Rows computed before the end, the whole file's when done. */
  rowsDone: number;
  /** Rows without a softmax (NaN, +inf, nothing but -inf), and the first of them. */
  badRows: number;
  firstBadRow: number | null;
  /** Layouts csr and coo: entries written; of those left out the largest |value|, and the sum of all. */
  entries: number | null;
  droppedMax: number | null;
  droppedSum: number | null;
  inputBytes: number;
  outputBytes: number;
  recordBatches: number;
  chunks: number;
  threads: number;
  kernel: "simd" | "plain" | null;
  /** From the call to the return, in milliseconds. */
  durationMs: number;
  rowsPerSecond: number;
  /** The process's peak resident memory, in bytes. */
  peakMemoryBytes: number;
}

/** Collects a report while a run goes on. */
export class ReportBuilder {
  readonly #start = performance.now();
  readonly #report: RunReport;
  #bytesDone = 0;

  constructor(version: string, input: string, output: string) {
    this.#report = {
      softjac: version,
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
      durationMs: 0,
      rowsPerSecond: 0,
      peakMemoryBytes: 0,
    };
  }

  set(known: Partial<RunReport>): void {
    Object.assign(this.#report, known);
  }

  get rowsDone(): number {
    return this.#report.rowsDone;
  }

  /** Bytes of the output that are there so far. */
  get bytesDone(): number {
    return this.#bytesDone;
  }

  wrote(bytes: number): void {
    this.#bytesDone += bytes;
  }

  /** Counts rows as they are done, and the bad ones among them. */
  count(rows: number, badRows: readonly number[]): void {
    const report = this.#report;
    report.rowsDone += rows;
    report.badRows += badRows.length;
    for (const row of badRows)
      report.firstBadRow = Math.min(report.firstBadRow ?? row, row);
  }

  /** What was left out of some rows' entries. */
  dropped(max: Float64Array, sum: Float64Array): void {
    const report = this.#report;
    report.droppedMax = max.reduce(
      (most, value) => Math.max(most, value),
      report.droppedMax ?? 0,
    );
    report.droppedSum = sum.reduce(
      (total, value) => total + value,
      report.droppedSum ?? 0,
    );
  }

  finish(status: RunReport["status"]): RunReport {
    const durationMs = performance.now() - this.#start;
    return {
      ...this.#report,
      status,
      durationMs,
      rowsPerSecond: (this.#report.rowsDone / durationMs) * 1000,
      peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
    };
  }
}
