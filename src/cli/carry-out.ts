import { OutputClosedError, SoftjacError } from "../errors.js";
import { removePendingOutputs } from "../output/temporary-file.js";
import type { RunHooks } from "../run.js";
import type { CommandFlags } from "./command.js";
import { EXIT, exitCodeOf } from "./exit-codes.js";
import { openProgress } from "./progress.js";
import { stopOnSignals } from "./signals.js";

/**
 * Makes a file under the eyes of the terminal: signals stop it, progress is shown, the report is printed as `text` or
 * JSON. Returns the exit code.
 */
export async function carryOut<Report>(
  flags: CommandFlags,
  make: (hooks: RunHooks) => Promise<Report>,
  text: (report: Report) => string,
  exitCode: (report: Report) => number = () => EXIT.done,
  // Where a file is made, standard output is for machines alone.
  textTo: NodeJS.WriteStream = process.stderr,
): Promise<number> {
  const quiet = flags.has("quiet");
  const stop = stopOnSignals(removePendingOutputs);
  const progress = await openProgress(process.stderr, quiet);
  try {
    const report = await make({
      signal: stop.signal,
      onProgress: progress.update,
    });
    progress.stop();
    if (flags.has("json")) printJson(report);
    else if (!quiet || exitCode(report) !== EXIT.done)
      textTo.write(text(report));
    return exitCode(report);
  } catch (error) {
    progress.stop();
    // Who has read enough goes; that is no failure, and nobody is there to hear of it.
    if (error instanceof OutputClosedError) return EXIT.done;
    return failed(error, exitCodeOf(error, stop.stoppedBy()), flags);
  } finally {
    stop.release();
  }
}

/** One sentence for people; for machines the report with the error in it. Unexpected errors keep their stack. */
export function failed(
  error: unknown,
  exitCode: number,
  flags: CommandFlags,
): number {
  const known = error instanceof SoftjacError;
  const message = error instanceof Error ? error.message : String(error);
  const shown = error instanceof Error && !known ? error.stack : message;
  process.stderr.write(`softjac: ${shown}\n`);
  if (flags.has("json"))
    printJson({
      ...((known ? error.report : undefined) as object | undefined),
      status: "failed",
      error: { code: known ? error.code : "ERR_INTERNAL", message, exitCode },
    });
  return exitCode;
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
