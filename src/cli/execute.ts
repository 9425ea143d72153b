import type { DatasetHooks } from "../dataset/events.js";
import {
  AbortedError,
  EXIT,
  OutputClosedError,
  SoftjacError,
  StoppedError,
} from "../errors.js";
import { ioError, knownError } from "../io/system-error.js";
import { type Command, optionsOf } from "../options/options-table.js";
import { removePendingOutputs } from "../output/temporary-file.js";
import {
  type CommandSpec,
  type LineOptionNames,
  messageWithFlags,
  type Settings,
} from "./command.js";
import { CommandLog, jsonText } from "./log/command-log.js";
import { type Failure, openLog } from "./log/log.js";
import {
  forceExit,
  markWorkDone,
  rejectAfterSignal,
  SIGNAL_EXIT,
  setCleanUp,
  stoppedBy,
  stopSignal,
} from "./signals.js";
import {
  internalError,
  logWritten,
  resultWritten,
  writeResult,
} from "./streams.js";

/** Presentation and exit code of a command's report. */
interface Outcome<Report> {
  /** Formats the report for people. */
  text: (report: Report) => string;
  /** Returns the part of the report to log; default: all of it. */
  logged?: (report: Report) => object;
  exitCode?: (report: Report) => number;
  /** Whether the text is the result of the command, which goes to standard output. */
  textIsResult?: boolean | ((report: Report) => boolean);
}

export interface Task<Report> extends Outcome<Report> {
  command: string;
  settings: Settings;
  /** Value of the label `output` in the metrics. */
  output: string;
  work: (hooks: DatasetHooks) => Promise<Report>;
  /** Seconds from a signal to the end of the work; default 25. */
  grace?: number | undefined;
}

interface Definition<Options, Report>
  extends Omit<CommandSpec, "execute" | "options">,
    Outcome<Report> {
  name: Command;
  /** Loads the library function of the command. */
  load(): Promise<(options: Options, hooks: DatasetHooks) => Promise<Report>>;
  /** Completes or rejects the options. */
  complete?(
    options: Options,
    given: { settings: Settings; line: LineOptionNames },
  ): Options;
  /** Seconds after which the process ends even if work is left; default: no limit. */
  endsWithin?: number;
}

/** Defines a command that calls a function of the library and prints its report. */
export function defineCommand<Options, Report extends object>({
  load,
  complete = (options) => options,
  endsWithin,
  ...command
}: Definition<Options, Report>): CommandSpec {
  return {
    ...command,
    options:
      command.name === "submit"
        ? optionsOf("plan", "submit")
        : optionsOf(command.name),
    async execute(given, settings, line) {
      const { output, input, results, grace } = given;
      const code = await execute({
        ...command,
        command: command.name,
        settings,
        output: String(output ?? input ?? results ?? ""),
        async work(hooks) {
          const options = given as unknown as Options;
          const call = complete(options, { settings, line });
          return (await load())(call, hooks);
        },
        grace: grace as number | undefined,
      });
      if (endsWithin !== undefined) void endSoon(code, endsWithin);
      return code;
    },
  };
}

/** Seconds after the grace period in which the work can still report its own error. */
const MORE_SECONDS = 2;

/** Runs work with signals, progress and logs, prints its report and returns the exit code. */
export async function execute<Report extends object>({
  command,
  settings,
  output,
  work,
  text,
  logged = (report) => report,
  exitCode = () => EXIT.done,
  textIsResult = false,
  grace = 25,
}: Task<Report>): Promise<number> {
  setCleanUp(removePendingOutputs);
  const opened = await openLog(settings);
  const log = new CommandLog(command, settings, output, opened);
  const { onProgress, onEvent } = log;
  const asJson = settings.get("json") === true;
  const quiet = settings.get("quiet") === true;
  let isAbandoned = false;
  // Commands that only print have no work to finish.
  const seconds = textIsResult ? 0 : grace + MORE_SECONDS;
  const abandoned = rejectAfterSignal(seconds, () => {
    isAbandoned = true;
    const { shards, shardsDone } = log.status.now();
    return shards && shardsDone
      ? new StoppedError(shardsDone, shards)
      : new AbortedError();
  });
  try {
    // A command has no other work for its main thread.
    const hooks = { signal: stopSignal, onProgress, onEvent, mainThread: true };
    const report = await Promise.race([work(hooks), abandoned]);
    markWorkDone();
    log.stop();
    const code = exitCode(report);
    const isResult =
      typeof textIsResult === "function" ? textIsResult(report) : textIsResult;
    if (asJson) writeResult(jsonText(report));
    else if (isResult) writeResult(text(report));
    const unwritten = await resultWritten();
    if (unwritten && code === EXIT.done)
      throw ioError("standard output", "could not be written", unwritten);
    const isLogged =
      !isResult &&
      (!asJson || settings.get("logFormat") === "json") &&
      (!quiet || code !== EXIT.done);
    const summary = isLogged ? text(report) : null;
    const written = log.done(code, report, summary, logged(report));
    return written || code !== EXIT.done ? code : EXIT.io;
  } catch (thrown) {
    markWorkDone();
    // A reader that closes its pipe early is not an error.
    if (thrown instanceof OutputClosedError) {
      log.done(EXIT.done, {}, null);
      return EXIT.done;
    }
    const report = failureReport(thrown);
    const { exitCode } = report.error;
    log.failed(report.error, report);
    if (asJson) writeResult(jsonText(report));
    if (isAbandoned) await endSoon(exitCode, 0);
    else if (stoppedBy() || exitCode === EXIT.stopped)
      void endSoon(exitCode, 2);
    return exitCode;
  }
}

/** Ends the process `seconds` after all output is written, in case abandoned work keeps it alive. */
async function endSoon(code: number, seconds: number): Promise<void> {
  await Promise.all([resultWritten(), logWritten()]);
  if (seconds === 0) forceExit(code);
  setTimeout(() => forceExit(code), seconds * 1000).unref();
}

/** Reports an error of a command that has not started and returns the exit code. */
export async function reportError(
  thrown: unknown,
  settings: Settings,
): Promise<number> {
  const report = failureReport(thrown);
  (await openLog(settings)).failed(report.error);
  if (settings.get("json") === true) writeResult(jsonText(report));
  return report.error.exitCode;
}

/** Returns the report of a failed command: the report attached to the error, and the error. */
function failureReport(thrown: unknown): { error: Failure } {
  const error = knownError(thrown);
  const expected = error instanceof SoftjacError ? error : null;
  const failure = {
    code: expected?.code ?? "ERR_INTERNAL",
    message: expected ? messageWithFlags(expected) : internalError(error),
    exitCode: exitCodeOf(error),
  };
  const report = expected?.report as object | undefined;
  return { ...report, ...{ status: "failed" }, error: failure };
}

/** Returns the exit code for an error; `signal` is the one that stopped the run, if one did. */
export function exitCodeOf(thrown: unknown, signal = stoppedBy()): number {
  const error = knownError(thrown);
  if (!(error instanceof SoftjacError)) return EXIT.internal;
  return error.code === "ERR_ABORTED" && signal
    ? SIGNAL_EXIT[signal]
    : error.exitCode;
}
