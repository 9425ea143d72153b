import type { PartRecord } from "../dataset/records.js";
import { VERSION } from "../version.js";

/** What a worker did. */
export interface WorkerReport {
  softjac: string;
  status: "done" | "failed";
  /** Address of the queue, without a password. */
  queue: string;
  /** Parts: made, found done, given up for this time or for good, handed back for others. */
  shardsMade: number;
  shardsDoneAlready: number;
  shardsFailed: number;
  shardsHandedBack: number;
  rowsMade: number;
  bytesMade: number;
  badRowsMade: number;
  /** Inputs without results, and why. */
  leftOut: { name: string; error: string }[];
  /** From the call to the return, in milliseconds. */
  durationMs: number;
  rowsPerSecond: number;
  /** The process's peak resident memory, in bytes. */
  peakMemoryBytes: number;
}

/** Collects a report while a worker works. */
export class WorkerReportBuilder {
  readonly #start = performance.now();
  readonly #report: WorkerReport;

  constructor(queue: string) {
    this.#report = {
      softjac: VERSION,
      status: "failed",
      queue,
      shardsMade: 0,
      shardsDoneAlready: 0,
      shardsFailed: 0,
      shardsHandedBack: 0,
      rowsMade: 0,
      bytesMade: 0,
      badRowsMade: 0,
      leftOut: [],
      durationMs: 0,
      rowsPerSecond: 0,
      peakMemoryBytes: 0,
    };
  }

  get shardsMade(): number {
    return this.#report.shardsMade;
  }

  get rowsMade(): number {
    return this.#report.rowsMade;
  }

  made({
    rows,
    bytes,
    badRows,
  }: Pick<PartRecord, "rows" | "bytes" | "badRows">): void {
    this.#report.shardsMade += 1;
    this.#report.rowsMade += rows;
    this.#report.bytesMade += bytes;
    this.#report.badRowsMade += badRows;
  }

  doneAlready(): void {
    this.#report.shardsDoneAlready += 1;
  }

  failed(): void {
    this.#report.shardsFailed += 1;
  }

  handedBack(): void {
    this.#report.shardsHandedBack += 1;
  }

  leftOut(name: string, error: string): void {
    this.#report.leftOut.push({ name, error });
  }

  finish(status: WorkerReport["status"]): WorkerReport {
    const durationMs = performance.now() - this.#start;
    return {
      ...this.#report,
      status,
      durationMs,
      rowsPerSecond: (this.#report.rowsMade / durationMs) * 1000,
      peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
    };
  }
}
