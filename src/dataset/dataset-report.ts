import { type CallCost, startClock } from "../io/report-clock.js";
import type { RunHooks } from "../run.js";
import { VERSION } from "../version.js";
import { type DatasetPlan, rowsOf } from "./dataset-plan.js";
import type { DatasetHooks } from "./events.js";
import type { PartRecord } from "./records.js";

/** Report of a call on a dataset: its return value, or `report` of its error. */
export interface DatasetReport extends CallCost {
  softjac: string;
  /** Outcome; `up to date` if the dataset was complete before this call, or another process completed it. */
  status: "done" | "up to date" | "planned" | "failed";
  fingerprint: string | null;
  output: string;
  inputs: number;
  rows: number;
  /** Number of shards of the dataset, of those done before this call, and of those that it computed. */
  shards: number;
  shardsUpToDate: number;
  shardsComputed: number;
  /** Rows, bytes and rows without a softmax of the shards that this call computed. */
  rowsComputed: number;
  bytesWritten: number;
  badRows: number;
  /** Inputs that were skipped, with the error of each. */
  skippedInputs: { name: string; error: string }[];
  /** Files of a published dataset that are missing or damaged, with the problem of each. */
  damaged: { file: string; problem: string }[];
}

/** Collects a report while a dataset is worked on. */
export class DatasetReportBuilder {
  readonly #cost = startClock();
  readonly #report: Omit<DatasetReport, keyof CallCost>;

  #plan: DatasetPlan | null = null;
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
      shardsUpToDate: 0,
      shardsComputed: 0,
      rowsComputed: 0,
      bytesWritten: 0,
      badRows: 0,
      skippedInputs: [],
      damaged: [],
    };
  }

  get isPlanned(): boolean {
    return this.#plan !== null;
  }

  get shards(): { done: number; all: number } {
    return { done: this.shardsDone, all: this.#report.shards };
  }

  get shardsDone(): number {
    return this.#report.shardsUpToDate + this.#report.shardsComputed;
  }

  planned(plan: DatasetPlan): void {
    const { fingerprint, of } = plan;
    this.#plan = plan;
    Object.assign(this.#report, {
      fingerprint,
      inputs: of.inputs.length,
      rows: rowsOf(plan),
      shards: of.shards.length,
    });
  }

  /** What is known before anything is done: the shards of this call, of those that are missing. */
  found(missing: readonly number[], toDo: readonly number[] = missing): void {
    this.#report.shardsUpToDate = this.#report.shards - missing.length;
    this.#rowsToDo = this.#rowsOf(toDo);
    const { inputs, rows, shards, shardsUpToDate } = this.#report;
    this.tell?.({
      event: "planned",
      fingerprint: this.#report.fingerprint as string,
      inputs,
      rows,
      shards,
      shardsDone: shardsUpToDate,
      shardsToDo: toDo.length,
    });
  }

  /** A shard is computed, or is not to be: another process has made it, or nobody will. */
  passed(shard: number): void {
    this.#rowsPassed += this.#rowsOf([shard]);
  }

  #rowsOf(shards: readonly number[]): number {
    return rowsOf(this.#plan as DatasetPlan, shards);
  }

  skippedInputs(inputs: DatasetReport["skippedInputs"]): void {
    this.#report.skippedInputs = inputs;
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
    report.shardsComputed += 1;
    report.rowsComputed += rows;
    report.bytesWritten += bytes;
    report.badRows += badRows;
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
    const report = this.#report;
    return { ...report, status, ...this.#cost(report.rowsComputed) };
  }
}
