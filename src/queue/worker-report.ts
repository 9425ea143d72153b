import type { PartRecord } from "../dataset/records.js";
import { type CallCost, startClock } from "../io/report-clock.js";
import { VERSION } from "../version.js";

/** Report of a worker: its return value, or `report` of its error. */
export interface WorkerReport extends CallCost {
  softjac: string;
  status: "done" | "failed";
  /** URL of the queue, without its password. */
  queue: string;
  /** Number of shards that were computed, done before, failed (in this attempt or in all), and released to other workers. */
  shardsComputed: number;
  shardsUpToDate: number;
  shardsFailed: number;
  shardsReleased: number;
  rowsComputed: number;
  bytesWritten: number;
  badRows: number;
  /** Inputs that were skipped, with the error of each. */
  skippedInputs: { name: string; error: string }[];
}

/** Collects a report while a worker works. */
export class WorkerReportBuilder {
  readonly #cost = startClock();
  readonly #report: Omit<WorkerReport, keyof CallCost>;

  constructor(queue: string) {
    this.#report = {
      softjac: VERSION,
      status: "failed",
      queue,
      shardsComputed: 0,
      shardsUpToDate: 0,
      shardsFailed: 0,
      shardsReleased: 0,
      rowsComputed: 0,
      bytesWritten: 0,
      badRows: 0,
      skippedInputs: [],
    };
  }

  get shardsComputed(): number {
    return this.#report.shardsComputed;
  }

  get rowsComputed(): number {
    return this.#report.rowsComputed;
  }

  made({
    rows,
    bytes,
    badRows,
  }: Pick<PartRecord, "rows" | "bytes" | "badRows">): void {
    this.#report.shardsComputed += 1;
    this.#report.rowsComputed += rows;
    this.#report.bytesWritten += bytes;
    this.#report.badRows += badRows;
  }

  upToDate(): void {
    this.#report.shardsUpToDate += 1;
  }

  failed(): void {
    this.#report.shardsFailed += 1;
  }

  released(): void {
    this.#report.shardsReleased += 1;
  }

  skippedInput(name: string, error: string): void {
    this.#report.skippedInputs.push({ name, error });
  }

  finish(status: WorkerReport["status"]): WorkerReport {
    const report = this.#report;
    return { ...report, status, ...this.#cost(report.rowsComputed) };
  }
}
