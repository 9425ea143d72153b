import parser from "yargs-parser";
import { checkValue } from "../check-options.js";
import { UsageError } from "../errors.js";
import type { OptionSpec } from "../options-table.js";
import { shortList, shortName } from "../printable.js";
import type { CommandSpec, LineOptions, Settings } from "./command.js";
import { configured } from "./configuration.js";
import { didYouMean } from "./nearest.js";
import { kebab, typed } from "./option-text.js";

/** A command line, understood. */
export type CommandLine =
  | {
      does: "command";
      command: CommandSpec;
      options: Record<string, unknown>;
      settings: Settings;
      line: LineOptions;
      warnings: readonly string[];
    }
  | { does: "help"; of: CommandSpec | undefined }
  | { does: "version" };

type Parsed = Record<string, unknown>;

/**
 * Parses a command line with yargs' parser, which is told to leave every value as it was typed: by itself it turns "abc"
 * into NaN and keeps the last of a repeated flag without a word. What is in a value is checked by the options table.
 * What the line does not say may stand in `env`, or in a file.
 * @throws UsageError, ConfigurationError
 */
export function parseArguments(
  argv: string[],
  commands: readonly CommandSpec[],
  env: Readonly<Record<string, string | undefined>> = {},
): CommandLine {
  // Which words are values of options depends on the command, and which word is the command on that: all options first.
  const first = parse(argv, commands);
  if (first.version === true) return { does: "version" };
  const [name] = (first._ as unknown[]).map(String);
  const names = commands.map((spec) => spec.name);
  const command = commands.find((spec) => spec.name === name);
  if (name !== undefined && !command)
    throw new UsageError(
      `expected a command among ${names.join(", ")}, found ${shortName(name)}${didYouMean(name, names)} (softjac --help)`,
    );
  if (first.help === true) return { does: "help", of: command };
  if (!command)
    throw new UsageError("expected a command, found none (softjac --help)");
  const parsed = parse(argv, [command]);
  refuseUnknown(parsed, command);
  refuseAmbiguousFlags(argv, command);
  const [, ...words] = (parsed._ as unknown[]).map(String);
  const given = givenTo(command, parsed, words);
  const line = new Set(given.keys());
  const { values, warnings } = configured(
    command,
    commands,
    env,
    given.get("config") as string | undefined,
  );
  for (const [name, value] of values)
    if (!line.has(name)) given.set(name, value);
  refuseMissing(given, command);
  const isSetting = new Set(command.settings.map(({ name }) => name));
  const entries = [...given];
  return {
    does: "command",
    command,
    options: Object.fromEntries(entries.filter(([n]) => !isSetting.has(n))),
    settings: new Map(entries.filter(([n]) => isSetting.has(n))) as Settings,
    line,
    warnings,
  };
}

function parse(argv: string[], commands: readonly CommandSpec[]): Parsed {
  const options = commands.flatMap(allOptions);
  const booleans = options.filter(({ kind }) => kind === "boolean");
  const others = options.filter(({ kind }) => kind !== "boolean");
  return parser(argv, {
    boolean: [...booleans.map(({ name }) => kebab(name)), "help", "version"],
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

/** All that the line may say. */
function allOptions({ options, settings }: CommandSpec): OptionSpec[] {
  return [...options, ...settings].filter(({ isSecret }) => !isSecret);
}

function refuseUnknown(parsed: Parsed, spec: CommandSpec): void {
  const { name: command } = spec;
  const known = ["_", "help", "version"];
  for (const { name } of allOptions(spec)) known.push(kebab(name));
  const unknown = Object.keys(parsed).filter((name) => !known.includes(name));
  const flags = known.slice(1).map(dashed);
  if (unknown.length > 0)
    throw new UsageError(
      `expected options that softjac ${command} knows, found ${shortList(
        unknown,
        (name) => shortName(dashed(name)) + didYouMean(dashed(name), flags),
      )} (softjac ${command} --help)`,
    );
}

/** What the line says, by the names of options; checked by the options table later. */
function givenTo(
  spec: CommandSpec,
  parsed: Parsed,
  words: string[],
): Map<string, unknown> {
  const given = new Map(positionalOf(spec.positional, words));
  for (const option of allOptions(spec)) {
    const value = once(kebab(option.name), parsed[kebab(option.name)]);
    if (value !== undefined) given.set(option.name, typed(option, value));
  }
  // Of these nobody else checks the values.
  for (const setting of spec.settings)
    checkValue(setting, given.get(setting.name));
  return given;
}

function positionalOf(
  positional: CommandSpec["positional"],
  words: string[],
): [name: string, value: unknown][] {
  if (words.length === 0) return [];
  if (!positional)
    throw new UsageError(
      `expected options alone, found ${shortList(words, shortName)}`,
    );
  const { option, several = false } = positional;
  if (words.length > 1 && !several)
    throw new UsageError(
      `expected one ${positional.what}, found ${shortList(words, shortName)}`,
      option,
    );
  const { choices } = positional;
  const [word = ""] = words;
  if (choices && !choices.includes(word))
    throw new UsageError(
      `expected one of ${choices.join(", ")}, found ${shortName(word)}${didYouMean(word, choices)}`,
      option,
    );
  return [[option, several ? words : word]];
}

function refuseMissing(
  given: ReadonlyMap<string, unknown>,
  { positional, required }: CommandSpec,
): void {
  if (positional && !given.has(positional.option))
    throw new UsageError(
      `expected one ${positional.what}${positional.several ? " or more" : ""}, found none`,
      positional.option,
    );
  for (const { option, shown, what } of required)
    if (!given.has(option))
      throw new UsageError(`${shown}: expected ${what}, found nothing`, option);
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
        `--${flag}: expected no value, found ${shortName(value.slice(1))}`,
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

function isFlag(name: string, command: CommandSpec): boolean {
  return allOptions(command).some(
    (option) => option.kind === "boolean" && kebab(option.name) === name,
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

function dashed(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}
