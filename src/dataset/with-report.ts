import { AbortedError, SoftjacError, StoppedError } from "../errors.js";
import { ioError, isSystemRefusal } from "../io/system-error.js";
import { type DatasetReport, DatasetReportBuilder } from "./dataset-report.js";
import type { DatasetRun, PublishOptions } from "./dataset-run.js";
import type { DatasetHooks } from "./events.js";
import { GracefulStop, type StopLimits } from "./graceful-stop.js";

interface Call {
  output: string;
  limits?: Partial<StopLimits>;
  hooks?: DatasetHooks;
}

/**
 * Runs `work` with stop signals and a report, and attaches the report to a SoftjacError.
 */
export async function withReport<Report extends DatasetReport>(
  { output, limits = {}, hooks = {} }: Call,
  work: (
    report: DatasetReportBuilder,
    stopping: GracefulStop,
  ) => Promise<Report>,
): Promise<Report> {
  const report = new DatasetReportBuilder(output, hooks.onEvent);
  const stopping = new GracefulStop(limits, hooks);
  try {
    return await stopping.race(() => work(report, stopping));
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
  {
    overwrite = false,
    allowMissing = false,
  }: { [name in keyof PublishOptions]?: boolean | undefined },
  report: DatasetReportBuilder,
  hooks: DatasetHooks,
): Promise<DatasetReport> {
  report.counts.skippedInputs = await run.skippedInputs();
  await run.publish({ overwrite, allowMissing });
  hooks.onEvent?.({ event: "published" });
  return report.finish("done");
}
