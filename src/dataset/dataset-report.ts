import { type CallCost, startClock } from "../io/report-clock.js";
import type { RunHooks } from "../options/hooks.js";
import { VERSION } from "../version.js";
import { type DatasetPlan, rowsOf, summaryOf } from "./dataset-plan.js";
import type { DatasetHooks } from "./events.js";

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

/** Counts the work on a dataset and builds its report. */
export class DatasetReportBuilder {
  readonly #cost = startClock();
  readonly counts: Omit<DatasetReport, keyof CallCost>;
  #plan: DatasetPlan | null = null;
  #rowsToDo = 0;
  #rowsPassed = 0;
  #bytesDone = 0;

  constructor(
    output: string,
    private readonly onEvent?: DatasetHooks["onEvent"],
  ) {
    this.counts = {
      ...{ softjac: VERSION, status: "failed", fingerprint: null, output },
      ...{ inputs: 0, rows: 0, shards: 0, shardsUpToDate: 0 },
      ...{ shardsComputed: 0, rowsComputed: 0, bytesWritten: 0, badRows: 0 },
      ...{ skippedInputs: [], damaged: [] },
    };
  }

  get shardsDone(): number {
    return this.counts.shardsUpToDate + this.counts.shardsComputed;
  }

  setPlan(plan: DatasetPlan): void {
    this.#plan = plan;
    Object.assign(this.counts, summaryOf(plan));
  }

  /** Reports which shards are missing and which of them this call computes. */
  setMissing(
    missing: readonly number[],
    toDo: readonly number[] = missing,
  ): void {
    const plan = this.#plan as DatasetPlan;
    const shardsDone = this.counts.shards - missing.length;
    this.counts.shardsUpToDate = shardsDone;
    this.#rowsToDo = rowsOf(plan, toDo);
    const shards = { shardsDone, shardsToDo: toDo.length };
    this.onEvent?.({ event: "planned", ...summaryOf(plan), ...shards });
  }

  /** Counts the rows of a shard for progress, whether this process computed it or not. */
  countPassed(shard: number): void {
    this.#rowsPassed += rowsOf(this.#plan as DatasetPlan, [shard]);
  }

  countComputed(shard: Record<"rows" | "bytes" | "badRows", number>) {
    const { counts } = this;
    counts.shardsComputed += 1;
    counts.rowsComputed += shard.rows;
    counts.bytesWritten += shard.bytes;
    counts.badRows += shard.badRows;
  }

  /** Converts progress of the current shard into progress of the call. */
  progress(onProgress: RunHooks["onProgress"]): RunHooks["onProgress"] {
    const rowsBefore = this.#rowsPassed;
    const bytesBefore = this.#bytesDone;
    return (done, _, pace) => {
      const bytesDone = bytesBefore + (pace?.bytesDone ?? 0);
      this.#bytesDone = bytesDone;
      const state = pace && { ...pace, bytesDone };
      onProgress?.(rowsBefore + done, this.#rowsToDo, state);
    };
  }

  finish(status: DatasetReport["status"]): DatasetReport {
    const { counts } = this;
    return { ...counts, status, ...this.#cost(counts.rowsComputed) };
  }
}
