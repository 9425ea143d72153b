import { AbortedError, SoftjacError, StoppedError } from "../errors.js";
import { count, numberOf } from "../format-number.js";
import { type CallCost, startClock } from "../io/report-clock.js";
import { ioError, isSystemRefusal } from "../io/system-error.js";
import type { RunHooks } from "../options/hooks.js";
import { VERSION } from "../version.js";
import { type DatasetPlan, rowsOf, summaryOf } from "./dataset-plan.js";
import type { DatasetRun, PublishOptions } from "./dataset-run.js";
import type { DatasetHooks } from "./events.js";
import { GracefulStop, type StopLimits } from "./graceful-stop.js";

/** Report of a call on a dataset: its return value, or `report` of its error. */
export interface DatasetReport extends CallCost {
  softjac: string;
  /** Outcome; `up to date` if the dataset was complete before this call, or another process completed it. */
  status: "done" | "up to date" | "planned" | "failed";
  fingerprint: string | null;
  output: string;
  inputs: number;
  rows: number;
  /**
   * Number of shards of the plan, of those done before this call, and of those that it computed. Shards of inputs that were
   * skipped before are not done.
   */
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

  /**
   * Reports which shards are missing and which of them this call computes.
   * @param included number of shards of inputs that are not skipped
   */
  setMissing(
    included: number,
    missing: readonly number[],
    toDo: readonly number[] = missing,
  ): void {
    const plan = this.#plan as DatasetPlan;
    const shardsDone = included - missing.length;
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

export interface DatasetCall {
  report: DatasetReportBuilder;
  stopping: GracefulStop;
  hooks: DatasetHooks;
}

/** Runs `work` with stop signals and a report, and attaches the report to a SoftjacError. */
export async function withReport<Report extends DatasetReport>(
  { output, ...limits }: { output: string } & Partial<StopLimits>,
  hooks: DatasetHooks,
  work: (call: DatasetCall) => Promise<Report>,
): Promise<Report> {
  const report = new DatasetReportBuilder(output, hooks.onEvent);
  const stopping = new GracefulStop(limits, hooks);
  try {
    return await stopping.race(() => work({ report, stopping, hooks }));
  } catch (error) {
    const reported = errorOf(error, report);
    if (reported instanceof SoftjacError)
      reported.report = report.finish("failed");
    throw reported;
  } finally {
    stopping.close();
  }
}

function errorOf(
  cause: unknown,
  { counts: { fingerprint, output, shards }, shardsDone }: DatasetReportBuilder,
): unknown {
  // Once the run is planned, only the output's store throws system errors without a path.
  const error =
    fingerprint === null
      ? cause
      : ioError(output, "could not be accessed", cause);
  if (error instanceof AbortedError)
    return new StoppedError(shardsDone, shards, { cause });
  // A system limit (memory, file descriptors) may be gone when the command is repeated.
  if (isSystemRefusal(error) && shardsDone > 0)
    return new StoppedError(
      shardsDone,
      shards,
      { cause: error },
      `${error.message}; ${count(shardsDone)} of ${numberOf(shards, "shard is", "shards are")} done; run the same command again to continue`,
    );
  return error;
}

/** Publishes a run whose shards are all computed, and ends the report. */
export async function publish(
  run: DatasetRun,
  options: PublishOptions,
  { report, hooks }: DatasetCall,
): Promise<DatasetReport> {
  report.counts.skippedInputs = await run.skippedInputs();
  await run.publish(options);
  hooks.onEvent?.({ event: "published" });
  return report.finish("done");
}
