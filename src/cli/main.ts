#!/usr/bin/env node
import { UsageError } from "../errors.js";
import { VERSION } from "../version.js";
import { parseArguments } from "./arguments.js";
import { COMMANDS } from "./commands.js";
import { EXIT } from "./exit-codes.js";

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
    line = parseArguments(argv, COMMANDS);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`softjac: ${error.message}\n`);
    return EXIT.usage;
  }
  switch (line.does) {
    case "version":
      process.stdout.write(`${VERSION}\n`);
      return EXIT.done;
    case "help": {
      const { helpText } = await import("./help.js");
      process.stdout.write(`${await helpText(COMMANDS, line.of)}\n`);
      return EXIT.done;
    }
    case "command":
      return line.command.execute(line.options, line.flags);
  }
}
