import type { RunHooks } from "../run.js";
import { VERSION } from "../version.js";
import type { DatasetPlan } from "./dataset-plan.js";
import type { PartRecord } from "./records.js";

/** What a call over a dataset did. */
export interface DatasetReport {
  softjac: string;
  /** `done already`: the dataset was complete, or another process has completed it. */
  status: "done" | "done already" | "planned" | "failed";
  fingerprint: string | null;
  output: string;
  inputs: number;
  rows: number;
  /** Parts of the dataset: in all, done before this call, and by it. */
  shards: number;
  shardsBefore: number;
  shardsMade: number;
  /** By this call. */
  rowsMade: number;
  bytesMade: number;
  badRowsMade: number;
  /** From the call to the return, in milliseconds. */
  durationMs: number;
  rowsPerSecond: number;
  /** The process's peak resident memory, in bytes. */
  peakMemoryBytes: number;
}

/** Collects a report while a dataset is worked on. */
export class DatasetReportBuilder {
  readonly #start = performance.now();
  readonly #report: DatasetReport;

  constructor(output: string) {
    this.#report = {
      softjac: VERSION,
      status: "failed",
      fingerprint: null,
      output,
      inputs: 0,
      rows: 0,
      shards: 0,
      shardsBefore: 0,
      shardsMade: 0,
      rowsMade: 0,
      bytesMade: 0,
      badRowsMade: 0,
      durationMs: 0,
      rowsPerSecond: 0,
      peakMemoryBytes: 0,
    };
  }

  get shardsDone(): number {
    return this.#report.shardsBefore + this.#report.shardsMade;
  }

  planned({ fingerprint, of }: DatasetPlan): void {
    Object.assign(this.#report, {
      fingerprint,
      inputs: of.inputs.length,
      rows: of.inputs.reduce((sum, { rows }) => sum + rows, 0),
      shards: of.shards.length,
    });
  }

  /** So many shards are done before anything is. */
  found(shards: number): void {
    this.#report.shardsBefore = shards;
  }

  made({
    rows,
    bytes,
    badRows,
  }: Pick<PartRecord, "rows" | "bytes" | "badRows">) {
    const report = this.#report;
    report.shardsMade += 1;
    report.rowsMade += rows;
    report.bytesMade += bytes;
    report.badRowsMade += badRows;
  }

  /** A shard's progress as that of the whole. */
  progress(tell: RunHooks["onProgress"]): RunHooks["onProgress"] {
    const { rowsMade, rows } = this.#report;
    return (done) => tell?.(rowsMade + done, rows);
  }

  finish(status: DatasetReport["status"]): DatasetReport {
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
