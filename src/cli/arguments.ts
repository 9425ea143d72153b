import parser from "yargs-parser";
import { UsageError } from "../errors.js";
import type { OptionSpec } from "../options-table.js";
import type { CommandFlags, CommandSpec } from "./command.js";

/** A command line, understood. */
export type CommandLine =
  | {
      does: "command";
      command: CommandSpec;
      options: Record<string, unknown>;
      flags: CommandFlags;
    }
  | { does: "help"; of: CommandSpec | undefined }
  | { does: "version" };

type Parsed = Record<string, unknown>;

/**
 * Parses a command line with yargs' parser, which is told to leave every value as it was typed: by itself it turns "abc"
 * into NaN and keeps the last of a repeated flag without a word. What is in a value is checked by the options table.
 * @throws UsageError
 */
export function parseArguments(
  argv: string[],
  commands: readonly CommandSpec[],
): CommandLine {
  // Which words are values of options depends on the command, and which word is the command on that: all options first.
  const first = parse(argv, commands);
  if (first.version === true) return { does: "version" };
  const [name] = (first._ as unknown[]).map(String);
  const command = commands.find((spec) => spec.name === name);
  if (name !== undefined && !command)
    throw new UsageError(
      `expected a command among ${commands.map((spec) => spec.name).join(", ")}, found ${name} (softjac --help)`,
    );
  if (first.help === true) return { does: "help", of: command };
  if (!command)
    throw new UsageError("expected a command, found none (softjac --help)");
  const parsed = parse(argv, [command]);
  refuseUnknown(parsed, command);
  refuseAmbiguousFlags(argv, command);
  const [, ...words] = (parsed._ as unknown[]).map(String);
  return { does: "command", command, ...givenTo(command, parsed, words) };
}

function parse(argv: string[], commands: readonly CommandSpec[]): Parsed {
  const options = commands.flatMap((command) => command.options);
  const booleans = options.filter(({ kind }) => kind === "boolean");
  const others = options.filter(({ kind }) => kind !== "boolean");
  return parser(argv, {
    boolean: [
      ...booleans.map(({ name }) => kebab(name)),
      ...commands.flatMap(({ flags }) => Object.keys(flags)),
      "help",
      "version",
    ],
    string: others.map(({ name }) => kebab(name)),
    configuration: {
      "parse-numbers": false,
      "parse-positional-numbers": false,
      "dot-notation": false,
      "camel-case-expansion": false,
      "strip-aliased": true,
    },
    alias: {
      help: ["h"],
      ...Object.fromEntries(
        options.flatMap(({ name, alias }) =>
          alias ? [[kebab(name), [alias]]] : [],
        ),
      ),
    },
  });
}

function refuseUnknown(
  parsed: Parsed,
  { name: command, options, flags }: CommandSpec,
): void {
  const known = ["_", ...Object.keys(flags), "help", "version"];
  for (const { name } of options) known.push(kebab(name));
  const unknown = Object.keys(parsed).filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new UsageError(
      `expected options that softjac ${command} knows, found ${unknown.map(dashed).join(", ")} (softjac ${command} --help)`,
    );
}

function givenTo(
  { positional, options: specs, required, flags }: CommandSpec,
  parsed: Parsed,
  words: string[],
): { options: Record<string, unknown>; flags: CommandFlags } {
  const options = positionalOf(positional, words);
  for (const spec of specs) {
    const value = once(kebab(spec.name), parsed[kebab(spec.name)]);
    if (value !== undefined) options[spec.name] = typed(spec, value);
  }
  for (const { option, shown, what } of required)
    if (options[option] === undefined)
      throw new UsageError(`${shown}: expected ${what}, found nothing`, option);
  const given = Object.keys(flags).filter(
    (name) => once(name, parsed[name]) === true,
  );
  return { options, flags: new Set(given) };
}

function positionalOf(
  positional: CommandSpec["positional"],
  words: string[],
): Record<string, unknown> {
  if (!positional) {
    if (words.length > 0)
      throw new UsageError(`expected options alone, found ${words.join(", ")}`);
    return {};
  }
  const { option, what, several = false } = positional;
  if (words.length === 0 || (words.length > 1 && !several))
    throw new UsageError(
      `expected one ${what}${several ? " or more" : ""}, found ${words.length === 0 ? "none" : words.join(", ")}`,
      option,
    );
  return { [option]: several ? words : words[0] };
}

/**
 * The parser keeps the last of a repeated flag without a word, and takes `--dry-run=yes` for false.
 */
function refuseAmbiguousFlags(argv: string[], command: CommandSpec): void {
  const seen = new Map<string, number>();
  for (const word of argv) {
    const [, flag, value] = /^--(?:no-)?([a-z][a-z-]*)(=.*)?$/.exec(word) ?? [];
    if (flag === undefined) continue;
    seen.set(flag, (seen.get(flag) ?? 0) + 1);
    if (isFlag(flag, command) && value !== undefined)
      throw new UsageError(
        `--${flag}: expected no value, found ${value.slice(1)}`,
        flag,
      );
  }
  for (const [flag, times] of seen)
    if (times > 1)
      throw new UsageError(
        `--${flag}: expected once, found ${times} times`,
        flag,
      );
}

function isFlag(name: string, { flags, options }: CommandSpec): boolean {
  return (
    name in flags ||
    options.some((o) => o.kind === "boolean" && kebab(o.name) === name)
  );
}

function once(flag: string, value: unknown): unknown {
  if (Array.isArray(value))
    throw new UsageError(
      `--${flag}: expected once, found ${value.length} times`,
      flag,
    );
  return value;
}

/** Texts of the command line as the types that the options table names; what is in them is checked there. */
function typed(spec: OptionSpec, value: unknown): unknown {
  if (spec.kind === "boolean") return value;
  if (value === "" || typeof value !== "string")
    throw new UsageError(
      `--${kebab(spec.name)}: expected a value, found nothing`,
      spec.name,
    );
  if (spec.kind === "list") return value.split(",").map((name) => name.trim());
  if (spec.kind === "ranges") return numbersOf(spec, value);
  if (spec.kind === "number") {
    if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value))
      throw new UsageError(
        `--${kebab(spec.name)}: expected a number, found ${JSON.stringify(value)}`,
        spec.name,
      );
    return Number(value);
  }
  if (spec.kind !== "integer") return value;
  if (!/^\d{1,15}$/.test(value))
    throw new UsageError(
      `--${kebab(spec.name)}: expected a whole number, found ${JSON.stringify(value)}`,
      spec.name,
    );
  return Number(value);
}

/** 3,7-9 */
function numbersOf(spec: OptionSpec, text: string): number[] {
  return text.split(",").flatMap((word) => {
    const [, low, high = low] =
      /^(\d{1,7})(?:-(\d{1,7}))?$/.exec(word.trim()) ?? [];
    const [first, last] = [Number(low), Number(high)];
    if (!(first <= last))
      throw new UsageError(
        `--${kebab(spec.name)}: expected numbers and ranges as in 3,7-9, found ${JSON.stringify(text)}`,
        spec.name,
      );
    return Array.from({ length: last - first + 1 }, (_, k) => first + k);
  });
}

export function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function dashed(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}
