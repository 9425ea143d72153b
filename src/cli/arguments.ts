import Parser from "yargs-parser";
import { checkValue } from "../check-options.js";
import { UsageError } from "../errors.js";
import type { OptionSpec } from "../options-table.js";
import { shortList, shortName } from "../printable.js";
import {
  type CommandSpec,
  flagsOf,
  isSetting,
  type LineOptions,
  type Settings,
  wordOf,
} from "./command.js";
import { configured } from "./configuration.js";
import { kebab, typed } from "./option-text.js";

/** A parsed command line. */
export type CommandLine =
  | {
      does: "command";
      command: CommandSpec;
      options: Record<string, unknown>;
      settings: Settings;
      line: LineOptions;
      warnings: readonly string[];
    }
  /** Help, the version or a completion script; without a command, the help is printed to standard error. */
  | { does: "print"; text: string; isComplete: boolean };

interface Context {
  env?: Readonly<Record<string, string | undefined>>;
  /** Width of the terminal; default 80. */
  columns?: number | undefined;
}

/** Stands for the argument "-", which yargs drops. */
const LONE_DASH = "\u0000-";

/**
 * Parses a command line. The parser of yargs reads plain lines by itself, because loading yargs takes 40 ms; yargs prints
 * help, the version and completions, and rejects unknown options. Every value stays text, because yargs turns "abc" into
 * NaN for a number; the options table checks it. Options that the line does not name come from the environment, then from
 * the config file.
 * @throws UsageError, ConfigurationError
 */
export async function parseArguments(
  argv: readonly string[],
  commands: readonly CommandSpec[],
  { env = {}, columns = 80 }: Context = {},
): Promise<CommandLine> {
  const words = (
    argv[0] === "help" ? [...argv.slice(1), "--help"] : [...argv]
  ).map((word) => (word === "-" ? LONE_DASH : word));
  const shown = shownBy(words);
  const line =
    (shown === "none" && plainLine(words, commands)) ||
    (await (
      await import("./yargs-line.js")
    ).parseWithYargs(words, commands, shown, columns));
  if ("text" in line) return { does: "print", ...line };
  const { command, parsed } = line;
  return understood(
    command,
    commands,
    words,
    withDashes(parsed) as ParsedLine,
    env,
  );
}

export type ParsedLine = Record<string, unknown> & { _: (string | number)[] };

export const PARSER_CONFIGURATION = {
  "parse-numbers": false,
  "parse-positional-numbers": false,
  "dot-notation": false,
  "camel-case-expansion": false,
  "strip-aliased": true,
};

/** Returns a line that begins with a command and has only options of it; null for any other. */
function plainLine(
  words: readonly string[],
  commands: readonly CommandSpec[],
): { command: CommandSpec; parsed: ParsedLine } | null {
  const command = commands.find(({ name }) => name === words[0]);
  if (
    !command ||
    words.some((word) => /^(?:--version|-\w*[vV]\w*)$/.test(word))
  )
    return null;
  const options = flagsOf(command);
  const names = (kind: "boolean" | null) =>
    options
      .filter((option) => (option.kind === "boolean") === (kind === "boolean"))
      .map(({ name }) => kebab(name));
  const { argv, error } = Parser.detailed([...words], {
    boolean: names("boolean"),
    narg: Object.fromEntries(names(null).map((name) => [name, 1])),
    alias: Object.fromEntries(
      options.flatMap(({ name, alias }) =>
        alias ? [[kebab(name), [alias]]] : [],
      ),
    ),
    configuration: PARSER_CONFIGURATION,
  });
  const specs = new Map(options.map((option) => [kebab(option.name), option]));
  const isKnown = ([name, value]: [string, unknown]) => {
    const spec = specs.get(name);
    if (name === "_") return true;
    return (
      spec &&
      (!["string", "path"].includes(spec.kind) ||
        (spec.choices?.includes(`${value}`) ?? true))
    );
  };
  return error || !Object.entries(argv).every(isKnown)
    ? null
    : { command, parsed: argv as ParsedLine };
}

/** Values with "-" where its stand-in is. */
function withDashes(value: unknown): unknown {
  if (value === LONE_DASH) return "-";
  if (Array.isArray(value)) return value.map(withDashes);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, of]) => [name, withDashes(of)]),
  );
}

/** The options that a help or completion lists; "none" where neither is asked for. */
export type Shown = "none" | "common" | "all";

function shownBy(words: readonly string[]): Shown {
  if (words.includes("--get-yargs-completions")) return "all";
  const isHelp = words.some((word) => /^(?:(?:--)?help|-\w*h\w*)$/.test(word));
  if (!isHelp) return "none";
  return words.includes("--all") ? "all" : "common";
}

/** The properties of an option that matter for parsing. */
export function parsedAs({ kind, alias, choices }: OptionSpec) {
  return {
    ...(alias && { alias }),
    ...(kind === "boolean" ? { boolean: true } : { requiresArg: true }),
    ...(choices && kind === "string" && { choices }),
  };
}

function understood(
  command: CommandSpec,
  commands: readonly CommandSpec[],
  words: readonly string[],
  parsed: ParsedLine,
  env: Context["env"] & object,
): CommandLine {
  rejectFlagValues(words, command);
  const given = givenTo(command, parsed);
  const line = new Set(given.keys());
  const { values, warnings } = configured(
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
    does: "command",
    command,
    options: Object.fromEntries(options),
    settings: settings as Settings,
    line,
    warnings,
  };
}

/** The values of a line by the names of options. */
function givenTo(spec: CommandSpec, parsed: ParsedLine): Map<string, unknown> {
  const given = new Map<string, unknown>();
  const word = wordOf(spec);
  const isList = word?.kind === "paths";
  // Words after "--" are not among the positional ones of yargs.
  const words = [word && parsed[word.name], parsed._.slice(1)]
    .flat()
    .filter((found) => found !== undefined && found !== null)
    .map(String);
  const most = word ? (isList ? Infinity : 1) : 0;
  if (words.length > most)
    throw new UsageError(
      `unexpected argument ${shortList(words.slice(most), (word) => `"${shortName(word)}"`)}; softjac ${spec.name} takes ${word ? `one ${word.word}` : "options only"}`,
    );
  if (word && words.length > 0) given.set(word.name, isList ? words : words[0]);
  for (const option of flagsOf(spec)) {
    const flag = kebab(option.name);
    const value = parsed[flag];
    if (Array.isArray(value) && option.kind !== "boolean")
      throw new UsageError(
        `--${flag} is given ${value.length} times; give it once`,
        option.name,
      );
    if (value !== undefined) given.set(option.name, typed(option, value));
  }
  // Nobody else checks the values of settings.
  for (const setting of spec.options.filter(isSetting))
    checkValue(setting, given.get(setting.name));
  return given;
}

/** yargs takes `--dry-run=yes` for false. */
function rejectFlagValues(words: readonly string[], spec: CommandSpec): void {
  for (const { name, kind } of flagsOf(spec))
    if (kind === "boolean" && words.some((word) => isValued(word, kebab(name))))
      throw new UsageError(`--${kebab(name)} takes no value`, name);
}

function isValued(word: string, flag: string): boolean {
  return word.startsWith(`--${flag}=`) || word.startsWith(`--no-${flag}=`);
}

function rejectMissing(
  given: ReadonlyMap<string, unknown>,
  { name: command, options }: CommandSpec,
): void {
  for (const { name, word, alias, isRequired } of options) {
    if (!isRequired || given.has(name)) continue;
    const flag = `${alias ? `-${alias}/` : ""}--${kebab(name)}`;
    throw new UsageError(
      `missing ${word ? `argument <${name}>: ${word}` : `required option ${flag}`}; run "softjac ${command} --help"`,
      name,
    );
  }
}
