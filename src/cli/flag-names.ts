import { UsageError } from "../errors.js";
import { lineOptions } from "./arguments.js";
import type { CommandSpec } from "./command.js";
import { kebab } from "./option-text.js";

let flags: ReadonlySet<string> = new Set();

/** Sets the command whose options messages name as flags. */
export function nameFlagsOf(command: CommandSpec): void {
  flags = new Set(lineOptions(command).map(({ name }) => name));
}

/** Returns the message of an error; one that begins with options of the library names them as flags: "--top-k: …". */
export function messageWithFlags(error: Error): string {
  const [, names = "", text = ""] =
    /^(\w+(?:, \w+)*)(: .*)$/s.exec(error.message) ?? [];
  const options = names.split(", ");
  return error instanceof UsageError && options.every((name) => flags.has(name))
    ? options.map((name) => `--${kebab(name)}`).join(", ") + text
    : error.message;
}
