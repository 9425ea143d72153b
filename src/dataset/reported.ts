import { AbortedError, SoftjacError, StoppedError } from "../errors.js";
import { isSystemRefusal } from "../system-error.js";
import { type DatasetReport, DatasetReportBuilder } from "./dataset-report.js";
import type { DatasetHooks } from "./events.js";
import { type StopLimits, Stopping } from "./stopping.js";

interface Call {
  output: string;
  limits?: StopLimits;
  hooks?: DatasetHooks;
}

const NO_LIMITS: StopLimits = { grace: 0, timeLimit: undefined };

/**
 * Does work on a dataset that can be stopped and is reported, whether it succeeds or not.
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
    const met = errorOf(error, stopping, report.shards);
    if (met instanceof SoftjacError) met.report = report.finish("failed");
    throw met;
  } finally {
    stopping.close();
  }
}

function errorOf(
  error: unknown,
  stopping: Stopping,
  { done, all }: DatasetReportBuilder["shards"],
): unknown {
  // The system may grant the next call what it has refused this one; the same call goes on with the parts that are saved.
  if (isSystemRefusal(error) && done > 0)
    return new StoppedError(
      done,
      all,
      { cause: error },
      `${error.message}; ${done} of ${all} shards are done; run the same command again to continue`,
    );
  if (!(error instanceof AbortedError)) return error;
  // What is done is kept, wherever the work was stopped; a time limit is set again by the next call.
  if (done === 0 && stopping.reason !== "time limit") return error;
  return new StoppedError(done, all, { cause: error });
}
