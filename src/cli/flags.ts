import { UsageError } from "../errors.js";
import { splitNames } from "../input/column-names.js";
import type { OptionSpec } from "../options/options-table.js";
import { shortValue } from "../printable.js";
import { type CommandSpec, flagsOf } from "./command.js";

/** Converts text to the type of an option, without checking ranges and choices. */
export function parseValue(
  { name, kind }: OptionSpec,
  value: unknown,
): unknown {
  if (kind === "boolean") return value;
  const refused = (text: string) =>
    new UsageError(`--${kebab(name)}: ${text}`, name);
  if (value === "" || typeof value !== "string")
    throw refused("the value is empty");
  const found = shortValue(value);
  switch (kind) {
    case "names":
      return splitNames(value);
    case "list":
    case "paths":
      return value.split(",").map((name) => name.trim());
    case "ranges":
      return value.split(",").flatMap((word) => {
        const [, low, high = low] =
          /^(\d{1,7})(?:-(\d{1,7}))?$/.exec(word.trim()) ?? [];
        const [first, last] = [Number(low), Number(high)];
        if (!(first <= last))
          throw refused(
            `expected numbers and ranges as in 3,7-9, found ${found}`,
          );
        return Array.from({ length: last - first + 1 }, (_, k) => first + k);
      });
    case "number":
      if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value))
        throw refused(`expected a number, found ${found}`);
      return Number(value);
    case "integer":
      if (!/^-?\d{1,15}$/.test(value))
        throw refused(`expected a whole number, found ${found}`);
      return Number(value);
    default:
      return value;
  }
}

export function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

let flags: readonly string[] = [];

/** Sets the command for `messageWithFlags`. */
export function setFlagsOf(command: CommandSpec): void {
  flags = flagsOf(command).map(({ name }) => name);
}

/** Returns the message of an error, with options of the library at its start as flags: "--top-k: …". */
export function messageWithFlags(error: Error): string {
  const [, names = "", text = ""] =
    /^(\w+(?:, \w+)*)(: .*)$/s.exec(error.message) ?? [];
  const options = names.split(", ");
  return error instanceof UsageError &&
    options.every((name) => flags.includes(name))
    ? options.map((name) => `--${kebab(name)}`).join(", ") + text
    : error.message;
}

export const PARSER_CONFIGURATION = {
  "parse-numbers": false,
  "parse-positional-numbers": false,
  "dot-notation": false,
  "camel-case-expansion": false,
  "strip-aliased": true,
};

/** Returns a name with its dashes: -o, --output. */
export function dashed(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}
