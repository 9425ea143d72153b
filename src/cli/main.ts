#!/usr/bin/env node
import { UsageError } from "../errors.js";
import { VERSION } from "../version.js";
import { type Command, parseArguments } from "./arguments.js";
import { EXIT } from "./exit-codes.js";
import { runCommand } from "./run-command.js";

// A reader that has seen enough (`softjac … | head`) is no error.
for (const stream of [process.stdout, process.stderr])
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });

// exitCode and not exit(): what is still on its way into a pipe arrives.
process.exitCode = await main(process.argv.slice(2));

async function main(argv: string[]): Promise<number> {
  let command: Command;
  try {
    command = parseArguments(argv);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`softjac: ${error.message}\n`);
    return EXIT.usage;
  }
  if (command.name === "version") {
    process.stdout.write(`${VERSION}\n`);
    return EXIT.done;
  }
  if (command.name === "help") {
    const { helpText } = await import("./help.js");
    process.stdout.write(`${await helpText(command.of)}\n`);
    return EXIT.done;
  }
  return runCommand(command.options, command.flags);
}
