import type { DatasetEvent, DatasetHooks } from "../dataset/events.js";
import {
  AbortedError,
  OutputClosedError,
  SoftjacError,
  StoppedError,
} from "../errors.js";
import { removePendingOutputs } from "../output/temporary-file.js";
import { printableJson } from "../printable.js";
import { ioError, knownError } from "../system-error.js";
import type { Settings } from "./command.js";
import { EXIT, exitCodeOf } from "./exit-codes.js";
import { messageWithFlags } from "./flag-names.js";
import { Narrator } from "./reporting/narrator.js";
import { type Failure, openTeller } from "./reporting/teller.js";
import {
  cleanUpWith,
  exitForSure,
  finishing,
  overdue,
  stoppedBy,
  stopSignal,
} from "./signals.js";
import {
  internalError,
  logWritten,
  resultWritten,
  writeResult,
} from "./streams.js";

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
  /** Seconds from a signal to the end; default 25. */
  grace?: number | undefined;
}

/** Seconds from the first signal to the end of work that does not end by itself, where no option says otherwise. */
const GRACE_SECONDS = 25;

/** Seconds beyond the grace, in which the work itself may say why it was given up. */
const MORE_SECONDS = 2;

/**
 * Runs a command: signals stop it, progress is shown, the report is printed as text or JSON. Returns the exit code.
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
  grace = GRACE_SECONDS,
}: Task<Report>): Promise<number> {
  cleanUpWith(removePendingOutputs);
  const narrator = await Narrator.open(command, settings, output);
  const saved = new SavedShards();
  const hooks = {
    signal: stopSignal,
    onProgress: narrator.hooks.onProgress,
    onEvent(event: DatasetEvent) {
      saved.event(event);
      narrator.hooks.onEvent?.(event);
    },
  };
  const asJson = settings.get("json") === true;
  const quiet = settings.get("quiet") === true;
  let isLeft = false;
  // Commands that only look have nothing to finish.
  const seconds = textIsResult ? 0 : grace + MORE_SECONDS;
  const gaveUp = overdue(seconds, () => {
    isLeft = true;
    return saved.error();
  });
  try {
    const report = await Promise.race([make(hooks), gaveUp]);
    finishing();
    narrator.rest();
    const code = exitCode(report);
    if (asJson) printJson(report);
    else if (textIsResult) writeResult(text(report));
    const unwritten = await resultWritten();
    if (unwritten && code === EXIT.done)
      throw ioError("standard output", "could not be written", unwritten);
    const written = narrator.done(report, code, (teller) => {
      if (!asJson || settings.get("logFormat") === "json")
        if (!textIsResult && (!quiet || code !== EXIT.done))
          teller.done(logged(report), text(report));
    });
    return written || code !== EXIT.done ? code : EXIT.io;
  } catch (thrown) {
    finishing();
    const error = knownError(thrown);
    // Who has read enough goes; that is no failure, and nobody is there to hear of it.
    if (error instanceof OutputClosedError) {
      narrator.done({}, EXIT.done, () => {});
      return EXIT.done;
    }
    const code = exitCodeOf(error, stoppedBy());
    const failure = failureOf(error, code);
    const report = failureReport(error, failure);
    narrator.failed(failure, report, code === EXIT.stopped);
    if (asJson) printJson(report);
    if (isLeft) await endSoon(code, 0);
    else if (stoppedBy() || code === EXIT.stopped) void endSoon(code, 2);
    return code;
  }
}

/** The shards of a dataset that are saved, as events tell of them. */
class SavedShards {
  #shards = 0;
  #done = 0;

  event(event: DatasetEvent): void {
    if (event.event === "planned") {
      this.#shards = event.shards;
      this.#done = event.shardsDone;
    } else if (event.event === "shard completed") this.#done++;
  }

  /** What work ends with that was given up. */
  error(): Error {
    return this.#done > 0
      ? new StoppedError(this.#done, this.#shards)
      : new AbortedError();
  }
}

/** Ends the process where it has not ended `seconds` after everything was written: what was left may hang and keep it. */
export async function endSoon(code: number, seconds: number): Promise<void> {
  await Promise.all([resultWritten(), logWritten()]);
  if (seconds === 0) exitForSure(code);
  setTimeout(() => exitForSure(code), seconds * 1000).unref();
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

/** One sentence for people. */
function failureOf(error: unknown, exitCode: number): Failure {
  const known = error instanceof SoftjacError;
  return {
    code: known ? error.code : "ERR_INTERNAL",
    message: known ? messageWithFlags(error) : internalError(error),
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

function printJson(value: unknown): void {
  writeResult(`${printableJson(JSON.stringify(value, null, 2))}\n`);
}
