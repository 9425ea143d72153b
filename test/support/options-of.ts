import { parseArguments } from "../../src/cli/arguments.js";
import { COMMANDS } from "../../src/cli/commands.js";
import type { Options } from "./input-runs.js";

/** Returns the options of the library for words of `softjac run`, without its input and output. */
export async function optionsOf(words: readonly string[]): Promise<Options> {
  const line = ["run", "in", "-o", "out", ...words];
  const parsed = await parseArguments(line, COMMANDS);
  if (parsed.kind !== "command") throw new Error(`no command: ${line}`);
  const { inputs: _, output, ...options } = parsed.options;
  return options;
}
