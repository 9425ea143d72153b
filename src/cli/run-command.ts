import { dryRun } from "../dry-run.js";
import { SoftjacError } from "../errors.js";
import type { RunOptions } from "../options.js";
import { removePendingOutputs } from "../output/commit.js";
import type { RunReport } from "../report.js";
import { run } from "../run.js";
import type { RunFlags } from "./arguments.js";
import { EXIT, exitCodeOf } from "./exit-codes.js";
import { openProgress } from "./progress.js";
import { stopOnSignals } from "./signals.js";
import { dryRunText, reportText } from "./summary.js";

/** `softjac run`. Returns the exit code. */
export async function runCommand(
  options: RunOptions,
  flags: RunFlags,
): Promise<number> {
  if (flags.dryRun) return dryRunCommand(options, flags);
  const stop = stopOnSignals(removePendingOutputs);
  const progress = await openProgress(process.stderr, flags.quiet);
  try {
    const report = await run(options, {
      signal: stop.signal,
      onProgress: progress.update,
    });
    progress.stop();
    if (flags.json) printJson(report);
    else if (!flags.quiet) process.stderr.write(reportText(report));
    return EXIT.done;
  } catch (error) {
    progress.stop();
    return failed(error, exitCodeOf(error, stop.stoppedBy()), flags);
  } finally {
    stop.release();
  }
}

function dryRunCommand(options: RunOptions, flags: RunFlags): number {
  try {
    const plan = dryRun(options);
    if (flags.json) printJson(plan);
    else process.stdout.write(dryRunText(plan));
    return EXIT.done;
  } catch (error) {
    return failed(error, exitCodeOf(error, null), flags);
  }
}

/** One sentence for people; for machines the report with the error in it. Unexpected errors keep their stack. */
function failed(error: unknown, exitCode: number, flags: RunFlags): number {
  const known = error instanceof SoftjacError;
  const message =
    known || !(error instanceof Error) ? errorMessage(error) : error.stack;
  process.stderr.write(`softjac: ${message}\n`);
  if (flags.json)
    printJson({
      ...((known ? error.report : undefined) as RunReport | undefined),
      status: "failed",
      error: {
        code: known ? error.code : "ERR_INTERNAL",
        message: errorMessage(error),
        exitCode,
      },
    });
  return exitCode;
}

export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
