import { SoftjacError } from "../errors.js";
import { ioError } from "../system-error.js";
import { VERSION } from "../version.js";
import { parseArguments } from "./arguments.js";
import { refuse } from "./carry-out.js";
import { checkLineFiles } from "./check-line-files.js";
import type { Settings } from "./command.js";
import { COMMANDS } from "./commands.js";
import { EXIT, exitCodeOf } from "./exit-codes.js";
import { openTeller } from "./reporting/teller.js";
import { finishing } from "./signals.js";
import { log, resultColumns, resultWritten, writeResult } from "./streams.js";

/** Does what a command line asks for. Returns the exit code. */
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
  let line: ReturnType<typeof parseArguments>;
  try {
    line = parseArguments(argv, COMMANDS, process.env);
  } catch (error) {
    if (!(error instanceof SoftjacError)) throw error;
    log.write(`softjac: ${error.message}\n`);
    return exitCodeOf(error, null);
  }
  switch (line.does) {
    case "version":
      writeResult(`${VERSION}\n`);
      return EXIT.done;
    case "help": {
      const { helpText } = await import("./help.js");
      writeResult(`${await helpText(COMMANDS, line.of, resultColumns())}\n`);
      return EXIT.done;
    }
    case "command":
      await warn(line.settings, line.warnings);
      try {
        await checkLineFiles(line.command, line.options, line.settings);
      } catch (error) {
        return refuse(error, exitCodeOf(error, null), line.settings);
      }
      return line.command.execute(line.options, line.settings, line.line);
  }
}

async function warn(
  settings: Settings,
  warnings: readonly string[],
): Promise<void> {
  if (warnings.length === 0) return;
  const teller = await openTeller(settings);
  for (const warning of warnings) teller.warn(warning);
}
