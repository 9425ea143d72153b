import type { DatasetHooks } from "../dataset/events.js";
import { OutputClosedError, SoftjacError } from "../errors.js";
import { removePendingOutputs } from "../output/temporary-file.js";
import { knownError } from "../system-error.js";
import type { Settings } from "./command.js";
import { EXIT, exitCodeOf } from "./exit-codes.js";
import { Narrator } from "./reporting/narrator.js";
import { type Failure, openTeller } from "./reporting/teller.js";
import { stopOnSignals } from "./signals.js";

interface Task<Report> {
  command: string;
  settings: Settings;
  /** What it is about, as metrics label it. */
  output: string;
  make: (hooks: DatasetHooks) => Promise<Report>;
  /** The report for people. */
  text: (report: Report) => string;
  /** What a line of a log has of it, where it is too long for one. */
  logged?: (report: Report) => object;
  exitCode?: (report: Report) => number;
  /** The text is what the command is for: it goes to standard output. Where a file is made, that is for machines alone. */
  textIsResult?: boolean;
}

/**
 * Does what a command is for under the eyes of whoever started it: signals stop it, progress is shown, the report is
 * printed as text or JSON. Returns the exit code.
 */
export async function carryOut<Report extends object>({
  command,
  settings,
  output,
  make,
  text,
  logged = (report) => report,
  exitCode = () => EXIT.done,
  textIsResult = false,
}: Task<Report>): Promise<number> {
  const stop = stopOnSignals(removePendingOutputs);
  const narrator = await Narrator.open(command, settings, output);
  const asJson = settings.get("json") === true;
  const quiet = settings.get("quiet") === true;
  try {
    const report = await make({ signal: stop.signal, ...narrator.hooks });
    const code = exitCode(report);
    const written = narrator.done(report, code, (teller) => {
      if (asJson) printJson(report);
      else if (textIsResult) process.stdout.write(text(report));
      if (!asJson || settings.get("logFormat") === "json")
        if (!textIsResult && (!quiet || code !== EXIT.done))
          teller.done(logged(report), text(report));
    });
    return written || code !== EXIT.done ? code : EXIT.io;
  } catch (thrown) {
    const error = knownError(thrown);
    // Who has read enough goes; that is no failure, and nobody is there to hear of it.
    if (error instanceof OutputClosedError) {
      narrator.done({}, EXIT.done, () => {});
      return EXIT.done;
    }
    const code = exitCodeOf(error, stop.stoppedBy());
    const failure = failureOf(error, code);
    const report = failureReport(error, failure);
    narrator.failed(failure, report, code === EXIT.stopped);
    if (asJson) printJson(report);
    if (failure.code === "ERR_STALLED") endWhateverHangs();
    return code;
  } finally {
    stop.release();
  }
}

/** What ends a command before it has begun. */
export async function refuse(
  thrown: unknown,
  exitCode: number,
  settings: Settings,
): Promise<number> {
  const error = knownError(thrown);
  const failure = failureOf(error, exitCode);
  (await openTeller(settings)).failed(failure);
  if (settings.get("json") === true) printJson(failureReport(error, failure));
  return exitCode;
}

/** One sentence for people. Unexpected errors keep their stack. */
function failureOf(error: unknown, exitCode: number): Failure {
  const known = error instanceof SoftjacError;
  return {
    code: known ? error.code : "ERR_INTERNAL",
    message: error instanceof Error ? error.message : String(error),
    stack: error instanceof Error && !known ? error.stack : undefined,
    exitCode,
  };
}

/** For machines: the report with the error in it. */
function failureReport(
  error: unknown,
  { code, message, exitCode }: Failure,
): object {
  const { report } = (error ?? {}) as { report?: object };
  return {
    ...(error instanceof SoftjacError ? report : undefined),
    status: "failed",
    error: { code, message, exitCode },
  };
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** A thread that the system keeps in a call cannot be ended from here, and would keep the process. */
export function endWhateverHangs(): void {
  const seconds = 10;
  setTimeout(
    () => process.kill(process.pid, "SIGKILL"),
    seconds * 1000,
  ).unref();
}
