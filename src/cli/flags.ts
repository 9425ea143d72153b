import { UsageError } from "../errors.js";
import { splitNames } from "../input/column-names.js";
import type { OptionSpec } from "../options/options-table.js";
import { shortValue } from "../printable.js";
import { type CommandSpec, flagsOf } from "./command.js";

/** Converts text to the type of an option, without checking ranges and choices. */
export function parseValue(spec: OptionSpec, value: unknown): unknown {
  if (spec.kind === "boolean") return value;
  if (value === "" || typeof value !== "string")
    throw new UsageError(
      `--${kebab(spec.name)}: the value is empty`,
      spec.name,
    );
  if (spec.kind === "names") return splitNames(value);
  if (spec.kind === "list" || spec.kind === "paths")
    return value.split(",").map((name) => name.trim());
  if (spec.kind === "ranges") return parseRanges(spec, value);
  if (spec.kind === "number") {
    if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value))
      throw new UsageError(
        `--${kebab(spec.name)}: expected a number, found ${shortValue(value)}`,
        spec.name,
      );
    return Number(value);
  }
  if (spec.kind !== "integer") return value;
  if (!/^-?\d{1,15}$/.test(value))
    throw new UsageError(
      `--${kebab(spec.name)}: expected a whole number, found ${shortValue(value)}`,
      spec.name,
    );
  return Number(value);
}

/** Parses 3,7-9. */
function parseRanges(spec: OptionSpec, text: string): number[] {
  return text.split(",").flatMap((word) => {
    const [, low, high = low] =
      /^(\d{1,7})(?:-(\d{1,7}))?$/.exec(word.trim()) ?? [];
    const [first, last] = [Number(low), Number(high)];
    if (!(first <= last))
      throw new UsageError(
        `--${kebab(spec.name)}: expected numbers and ranges as in 3,7-9, found ${shortValue(text)}`,
        spec.name,
      );
    return Array.from({ length: last - first + 1 }, (_, k) => first + k);
  });
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
