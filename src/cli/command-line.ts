import { EXIT } from "../errors.js";
import { ioError } from "../io/system-error.js";
import { parseArguments } from "./arguments.js";
import type { Settings } from "./command.js";
import { COMMANDS } from "./commands.js";
import { exitCodeOf, reportError } from "./execute.js";
import { setFlagsOf } from "./flags.js";
import { openLog } from "./log/log.js";
import { rejectOverwrites } from "./reject-overwrites.js";
import { markWorkDone } from "./signals.js";
import { log, resultColumns, resultWritten, writeResult } from "./streams.js";

/** Runs a command line and returns the exit code. */
export async function main(argv: string[]): Promise<number> {
  const code = await executeLine(argv);
  markWorkDone();
  const failure = await resultWritten();
  // A command that failed has already printed its error.
  if (!failure || code !== EXIT.done) return code;
  const error = ioError("standard output", "could not be written", failure);
  log.write(`softjac: ${error.message}\n`);
  return exitCodeOf(error);
}

async function executeLine(argv: string[]): Promise<number> {
  let settings: Settings = new Map();
  try {
    const columns = resultColumns();
    const { env } = process;
    const line = await parseArguments(argv, COMMANDS, { env, columns });
    if (line.kind === "print") {
      if (line.isRequested) writeResult(`${line.text}\n`);
      else log.write(`${line.text}\n`);
      return line.isRequested ? EXIT.done : EXIT.usage;
    }
    const { command, options, warnings } = line;
    settings = line.settings;
    setFlagsOf(command);
    if (settings.get("color") === false) env.NO_COLOR = "1";
    // Keeps upgrade advice of the AWS SDK out of the log.
    env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";
    if (warnings.length > 0) warnings.forEach((await openLog(settings)).warn);
    await rejectOverwrites(command, options, settings);
    return await command.execute(options, settings, line.line);
  } catch (error) {
    return reportError(error, settings);
  }
}
