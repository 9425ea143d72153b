import { SoftjacError } from "../errors.js";
import { ioError } from "../system-error.js";
import { parseArguments } from "./arguments.js";
import { refuse } from "./carry-out.js";
import { checkLineFiles } from "./check-line-files.js";
import type { Settings } from "./command.js";
import { COMMANDS } from "./commands.js";
import { EXIT, exitCodeOf } from "./exit-codes.js";
import { nameFlagsOf } from "./option-text.js";
import { openLog } from "./reporting/log.js";
import { finishing } from "./signals.js";
import { log, resultColumns, resultWritten, writeResult } from "./streams.js";

/** Runs a command line. Returns the exit code. */
export async function main(argv: string[]): Promise<number> {
  const code = await execute(argv);
  finishing();
  const failure = await resultWritten();
  // A command that fails has said why.
  if (!failure || code !== EXIT.done) return code;
  const error = ioError("standard output", "could not be written", failure);
  log.write(`softjac: ${error.message}\n`);
  return exitCodeOf(error, null);
}

async function execute(argv: string[]): Promise<number> {
  let line: Awaited<ReturnType<typeof parseArguments>>;
  try {
    const columns = resultColumns();
    line = await parseArguments(argv, COMMANDS, { env: process.env, columns });
  } catch (error) {
    if (!(error instanceof SoftjacError)) throw error;
    log.write(`softjac: ${error.message}\n`);
    return exitCodeOf(error, null);
  }
  if (line.does === "print") {
    if (line.isComplete) writeResult(`${line.text}\n`);
    else log.write(`${line.text}\n`);
    return line.isComplete ? EXIT.done : EXIT.usage;
  }
  const { command, options, settings } = line;
  nameFlagsOf(command);
  // The code that writes colors, and the SDK of S3, read these variables; its advice is not for the log.
  if (settings.get("color") === false) process.env.NO_COLOR = "1";
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";
  await warn(settings, line.warnings);
  try {
    await checkLineFiles(command, options, settings);
  } catch (error) {
    return refuse(error, exitCodeOf(error, null), settings);
  }
  return command.execute(options, settings, line.line);
}

async function warn(
  settings: Settings,
  warnings: readonly string[],
): Promise<void> {
  if (warnings.length === 0) return;
  const { warn } = await openLog(settings);
  for (const warning of warnings) warn(warning);
}
