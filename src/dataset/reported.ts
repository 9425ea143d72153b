import { AbortedError, SoftjacError, StoppedError } from "../errors.js";
import { ioError, isSystemRefusal } from "../system-error.js";
import { type DatasetReport, DatasetReportBuilder } from "./dataset-report.js";
import type { DatasetRun, PublishOptions } from "./dataset-run.js";
import type { DatasetHooks } from "./events.js";
import { type StopLimits, Stopping } from "./stopping.js";

interface Call {
  output: string;
  limits?: StopLimits;
  hooks?: DatasetHooks;
}

const NO_LIMITS: StopLimits = { grace: 0, timeLimit: undefined };

/**
 * Does work on a dataset that can be stopped, and reports it, whether it succeeds or not.
 * @throws SoftjacError, with the report
 */
export async function reported<Report extends DatasetReport>(
  { output, limits = NO_LIMITS, hooks = {} }: Call,
  work: (report: DatasetReportBuilder, stopping: Stopping) => Promise<Report>,
): Promise<Report> {
  const report = new DatasetReportBuilder(output, hooks.onEvent);
  const stopping = new Stopping(limits, hooks);
  try {
    return await stopping.race(() => work(report, stopping));
  } catch (error) {
    const met = errorOf(error, output, report);
    if (met instanceof SoftjacError) met.report = report.finish("failed");
    throw met;
  } finally {
    stopping.close();
  }
}

function errorOf(
  cause: unknown,
  output: string,
  { isPlanned, shards: { done, all } }: DatasetReportBuilder,
): unknown {
  // Once the run is planned, system errors that nobody else has named are those of its store.
  const error = isPlanned
    ? ioError(output, "could not be accessed", cause)
    : cause;
  // The system may grant the next call what it refused this one.
  if (isSystemRefusal(error) && done > 0)
    return new StoppedError(
      done,
      all,
      { cause: error },
      `${error.message}; ${done} of ${all} shards are done; run the same command again to continue`,
    );
  return error instanceof AbortedError
    ? new StoppedError(done, all, { cause: error })
    : error;
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
  report.skippedInputs(await run.leftOut());
  await run.publish({ overwrite, allowMissing });
  hooks.onEvent?.({ event: "published" });
  return report.finish("done");
}
