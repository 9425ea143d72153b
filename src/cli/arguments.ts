import Parser from "yargs-parser";
import { UsageError } from "../errors.js";
import { checkValue } from "../options/check-options.js";
import { shortList, shortName } from "../printable.js";
import { VERSION } from "../version.js";
import {
  argumentOf,
  type CommandSpec,
  flagsOf,
  isSetting,
  type LineOptionNames,
  type Settings,
} from "./command.js";
import { readSettings } from "./configuration.js";
import { dashed, kebab, PARSER_CONFIGURATION, parseValue } from "./flags.js";

/** A parsed command line. */
export type CommandLine =
  | {
      kind: "command";
      command: CommandSpec;
      options: Record<string, unknown>;
      settings: Settings;
      line: LineOptionNames;
      warnings: readonly string[];
    }
  /** Help, version or completion script. For an empty command line, help that was not requested. */
  | { kind: "print"; text: string; isRequested: boolean };

interface Context {
  env?: Readonly<Record<string, string | undefined>>;
  /** Width of the terminal; default 80. */
  columns?: number | undefined;
}

/**
 * Parses a command line with yargs-parser; yargs itself takes 40 ms to load and is used only for help and completions.
 * Values stay strings, because yargs turns "abc" into NaN for a number; the options table checks them. Missing options come
 * from the environment, then from the config file.
 * @throws UsageError, ConfigurationError
 */
export async function parseArguments(
  argv: readonly string[],
  commands: readonly CommandSpec[],
  { env = {}, columns = 80 }: Context = {},
): Promise<CommandLine> {
  const words = argv[0] === "help" ? [...argv.slice(1), "--help"] : [...argv];
  const word = words.find((text) => !text.startsWith("-"));
  const command = commands.find(({ name }) => name === word);
  const { parsed, error } = parseLine(words, command);
  const print = (text: string, isRequested = true): CommandLine => {
    return { kind: "print", text, isRequested };
  };
  if (parsed.version) return print(VERSION);
  if (
    parsed.help ||
    words.length === 0 ||
    words[0] === "completion" ||
    words.includes("--get-yargs-completions")
  ) {
    const { printedText } = await import("./help.js");
    const isOfCommand = command && parsed.help;
    const asked = isOfCommand ? [command.name, "--help"] : words;
    const showAll = !isOfCommand || words.includes("--all");
    const text = await printedText(asked, commands, showAll, columns);
    return print(text, words.length > 0);
  }
  if (!command) {
    const { unknownCommand } = await import("./unknown.js");
    throw new UsageError(
      unknownCommand(word ?? (words[0] as string), commands),
    );
  }
  await rejectUnknown(parsed, command);
  if (error) throw new UsageError(error);
  return resolveLine(command, commands, words, parsed, env);
}

type ParsedLine = Record<string, unknown> & { _: (string | number)[] };

function parseLine(
  words: readonly string[],
  command: CommandSpec | undefined,
): { parsed: ParsedLine; error: string | null } {
  const flags = command ? flagsOf(command) : [];
  const [switches, others] = [true, false].map((isSwitch) =>
    flags
      .filter(({ kind }) => (kind === "boolean") === isSwitch)
      .map(({ name }) => kebab(name)),
  ) as [string[], string[]];
  const aliases = flags.map(({ name, alias }) => [kebab(name), alias ?? []]);
  const { argv, error } = Parser.detailed([...words], {
    boolean: [...switches, "help", "version"],
    narg: Object.fromEntries(others.map((name) => [name, 1])),
    alias: { ...Object.fromEntries(aliases), help: "h", version: ["V", "v"] },
    configuration: PARSER_CONFIGURATION,
  });
  const [, name] =
    /^Not enough arguments following: (.*)$/s.exec(error?.message ?? "") ?? [];
  return {
    parsed: argv as ParsedLine,
    error: name ? `option ${dashed(name)} needs a value` : null,
  };
}

/** Rejects unknown options, and values that are not among the choices of an option. */
async function rejectUnknown(
  parsed: ParsedLine,
  command: CommandSpec,
): Promise<void> {
  const flags = flagsOf(command);
  const known = flags.map(({ name }) => kebab(name));
  const unknown = Object.keys(parsed).filter(
    (name) => name !== "_" && !known.includes(name),
  );
  const wrong = flags.find(({ name, kind, choices }) => {
    const value = parsed[kebab(name)];
    return (
      kind === "string" &&
      typeof value === "string" &&
      value !== "" &&
      choices?.includes(value) === false
    );
  });
  if (unknown.length === 0 && !wrong) return;
  const { unknownOptions, unknownValue } = await import("./unknown.js");
  throw new UsageError(
    wrong && unknown.length === 0
      ? unknownValue(wrong, `${parsed[kebab(wrong.name)]}`)
      : unknownOptions(unknown, command),
  );
}

function resolveLine(
  command: CommandSpec,
  commands: readonly CommandSpec[],
  words: readonly string[],
  parsed: ParsedLine,
  env: Context["env"] & object,
): CommandLine {
  rejectFlagValues(words, command);
  const given = valuesOfLine(command, parsed);
  const line = new Set(given.keys());
  const { values, warnings } = readSettings(
    command,
    commands,
    env,
    given.get("config") as string | undefined,
  );
  for (const [name, value] of values)
    if (!line.has(name)) given.set(name, value);
  rejectMissing(given, command);
  const settings = new Map<string, unknown>();
  for (const { name } of command.options.filter(isSetting))
    if (given.has(name)) settings.set(name, given.get(name));
  const options = [...given].filter(([name]) => !settings.has(name));
  return {
    kind: "command",
    command,
    options: Object.fromEntries(options),
    settings: settings as Settings,
    line,
    warnings,
  };
}

/** Returns the values on the command line by option name. */
function valuesOfLine(
  spec: CommandSpec,
  parsed: ParsedLine,
): Map<string, unknown> {
  const given = new Map<string, unknown>();
  const argument = argumentOf(spec);
  const isList = argument?.kind === "paths";
  const words = parsed._.slice(1).map(String);
  const maxWords = argument ? (isList ? Infinity : 1) : 0;
  if (words.length > maxWords)
    throw new UsageError(
      `unexpected argument ${shortList(words.slice(maxWords), (word) => `"${shortName(word)}"`)}; softjac ${spec.name} takes ${argument ? `one ${argument.argument}` : "options only"}`,
    );
  if (argument && words.length > 0)
    given.set(argument.name, isList ? words : words[0]);
  for (const option of flagsOf(spec)) {
    const flag = kebab(option.name);
    const value = parsed[flag];
    if (Array.isArray(value) && option.kind !== "boolean")
      throw new UsageError(
        `--${flag} is given ${value.length} times; give it once`,
        option.name,
      );
    if (value !== undefined) given.set(option.name, parseValue(option, value));
  }
  // Functions of the library check the other options.
  for (const setting of spec.options.filter(isSetting))
    checkValue(setting, given.get(setting.name));
  return given;
}

/** Rejects `--dry-run=yes`, which yargs-parser reads as false. */
function rejectFlagValues(words: readonly string[], spec: CommandSpec): void {
  for (const { name, kind } of flagsOf(spec))
    if (kind === "boolean" && words.some((word) => hasValue(word, kebab(name))))
      throw new UsageError(`--${kebab(name)} takes no value`, name);
}

function hasValue(word: string, flag: string): boolean {
  return word.startsWith(`--${flag}=`) || word.startsWith(`--no-${flag}=`);
}

function rejectMissing(
  given: ReadonlyMap<string, unknown>,
  { name: command, options }: CommandSpec,
): void {
  for (const { name, argument, alias, isRequired } of options) {
    if (!isRequired || given.has(name)) continue;
    const flag = `${alias ? `-${alias}/` : ""}--${kebab(name)}`;
    throw new UsageError(
      `missing ${argument ? `argument <${name}>: ${argument}` : `required option ${flag}`}; run "softjac ${command} --help"`,
      name,
    );
  }
}
