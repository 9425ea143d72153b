import { AbortedError, SoftjacError, StoppedError } from "../errors.js";
import { ioError, isSystemRefusal } from "../io/system-error.js";
import { type DatasetReport, DatasetReportBuilder } from "./dataset-report.js";
import type { DatasetRun, PublishOptions } from "./dataset-run.js";
import type { DatasetHooks } from "./events.js";
import { GracefulStop, type StopLimits } from "./graceful-stop.js";

/** Report, stop signals and hooks of a call on a dataset. */
export interface DatasetCall {
  report: DatasetReportBuilder;
  stopping: GracefulStop;
  hooks: DatasetHooks;
}

/** Runs `work` with stop signals and a report, and attaches the report to a SoftjacError. */
export async function withReport<Report extends DatasetReport>(
  output: string,
  limits: Partial<StopLimits>,
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
      `${error.message}; ${shardsDone} of ${shards} shards are done; run the same command again to continue`,
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
