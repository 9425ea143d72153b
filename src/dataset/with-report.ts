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
 * Does work on a dataset that can be stopped, and reports it, whether it succeeds or not.
 * @throws SoftjacError, with the report
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
    const met = errorOf(error, report);
    if (met instanceof SoftjacError) met.report = report.finish("failed");
    throw met;
  } finally {
    stopping.close();
  }
}

function errorOf(
  cause: unknown,
  { counts: { fingerprint, output, shards }, shardsDone }: DatasetReportBuilder,
): unknown {
  // Once the run is planned, system errors that nobody else has named are those of its store.
  const error =
    fingerprint === null
      ? cause
      : ioError(output, "could not be accessed", cause);
  if (error instanceof AbortedError)
    return new StoppedError(shardsDone, shards, { cause });
  // The system may grant the next call what it refused this one.
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
