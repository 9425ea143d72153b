import type { RunHooks } from "../run.js";
import { VERSION } from "../version.js";
import type { DatasetPlan } from "./dataset-plan.js";
import type { DatasetHooks } from "./events.js";
import type { Shard } from "./plan-shards.js";
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
  /** Inputs without results, and why. */
  leftOut: { name: string; error: string }[];
  /** Files of a published dataset that are missing or damaged, and what is wrong with each. */
  damaged: { part: string; found: string }[];
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

  #shards: readonly Shard[] = [];
  #rowsToDo = 0;
  #rowsPassed = 0;
  #bytesDone = 0;

  constructor(
    output: string,
    private readonly tell?: DatasetHooks["onEvent"],
  ) {
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
      leftOut: [],
      damaged: [],
      durationMs: 0,
      rowsPerSecond: 0,
      peakMemoryBytes: 0,
    };
  }

  get shards(): { done: number; all: number } {
    return { done: this.shardsDone, all: this.#report.shards };
  }

  get shardsDone(): number {
    return this.#report.shardsBefore + this.#report.shardsMade;
  }

  planned({ fingerprint, of }: DatasetPlan): void {
    this.#shards = of.shards;
    Object.assign(this.#report, {
      fingerprint,
      inputs: of.inputs.length,
      rows: of.inputs.reduce((sum, { rows }) => sum + rows, 0),
      shards: of.shards.length,
    });
  }

  /** What is known before anything is done: the shards of this call, of those that are missing. */
  found(missing: readonly number[], toDo: readonly number[] = missing): void {
    this.#report.shardsBefore = this.#report.shards - missing.length;
    this.#rowsToDo = toDo.reduce(
      (sum, shard) => sum + rowsOf(this.#shards[shard] as Shard),
      0,
    );
    const { inputs, rows, shards, shardsBefore } = this.#report;
    this.tell?.({
      event: "planned",
      fingerprint: this.#report.fingerprint as string,
      inputs,
      rows,
      shards,
      shardsDone: shardsBefore,
      shardsToDo: toDo.length,
    });
  }

  /** A shard is computed, or is not to be: another process has made it, or nobody will. */
  passed(shard: Shard): void {
    this.#rowsPassed += rowsOf(shard);
  }

  leftOut(inputs: DatasetReport["leftOut"]): void {
    this.#report.leftOut = inputs;
  }

  damaged(files: DatasetReport["damaged"]): void {
    this.#report.damaged = files;
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

  /** A shard's progress as that of the call. */
  progress(tell: RunHooks["onProgress"]): RunHooks["onProgress"] {
    const rowsBefore = this.#rowsPassed;
    const bytesBefore = this.#bytesDone;
    return (done, _, pace) => {
      this.#bytesDone = bytesBefore + (pace?.bytesDone ?? 0);
      tell?.(
        rowsBefore + done,
        this.#rowsToDo,
        pace && { ...pace, bytesDone: this.#bytesDone },
      );
    };
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

function rowsOf({ rowStart, rowEnd }: Shard): number {
  return rowEnd - rowStart;
}
