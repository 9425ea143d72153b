#!/usr/bin/env node
import { SoftjacError } from "../errors.js";
import { VERSION } from "../version.js";
import { parseArguments } from "./arguments.js";
import type { Settings } from "./command.js";
import { COMMANDS } from "./commands.js";
import { EXIT, exitCodeOf } from "./exit-codes.js";
import { openTeller } from "./reporting/teller.js";

// A reader that has seen enough (`softjac … | head`) is no error.
for (const stream of [process.stdout, process.stderr])
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });

// exitCode and not exit(): what is still on its way into a pipe arrives.
process.exitCode = await main(process.argv.slice(2));

async function main(argv: string[]): Promise<number> {
  let line: ReturnType<typeof parseArguments>;
  try {
    line = parseArguments(argv, COMMANDS, process.env);
  } catch (error) {
    if (!(error instanceof SoftjacError)) throw error;
    process.stderr.write(`softjac: ${error.message}\n`);
    return exitCodeOf(error, null);
  }
  switch (line.does) {
    case "version":
      process.stdout.write(`${VERSION}\n`);
      return EXIT.done;
    case "help": {
      const { helpText } = await import("./help.js");
      process.stdout.write(
        `${await helpText(COMMANDS, line.of, process.stdout.columns)}\n`,
      );
      return EXIT.done;
    }
    case "command":
      await warn(line.settings, line.warnings);
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
