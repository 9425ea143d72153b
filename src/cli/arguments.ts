import Parser from "yargs-parser";
import { UsageError } from "../errors.js";
import { checkValue } from "../options/check-options.js";
import type { OptionSpec } from "../options/options-table.js";
import { shortList, shortName } from "../printable.js";
import { VERSION } from "../version.js";
import {
  argumentOf,
  type CommandSpec,
  dashed,
  flagsOf,
  isSetting,
  kebab,
  type LineOptionNames,
  PARSER_CONFIGURATION,
  parseValue,
  type Settings,
} from "./command.js";
import { readSettings } from "./configuration.js";

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
  if (parsed.version)
    return { kind: "print", text: VERSION, isRequested: true };
  const rejectCommand = async (name: string): Promise<never> => {
    const { unknownCommand } = await import("./unknown.js");
    throw new UsageError(unknownCommand(name, commands));
  };
  // The shell asks for completions of any words.
  const completes = words.includes("--get-yargs-completions");
  const isHelp = parsed.help && !completes;
  if (isHelp && !command && word !== undefined && word !== "completion")
    await rejectCommand(word);
  if (isHelp || completes || words.length === 0 || word === "completion") {
    const isScript = word === "completion" && !isHelp;
    if (isScript && words[1]) chooseShell(words[1]);
    const { printedText } = await import("./help.js");
    const isOfCommand = command && isHelp;
    const ofHelp = command ? [command.name, "--help"] : ["--help"];
    const asked = isHelp ? ofHelp : words;
    const showAll = !isOfCommand || words.includes("--all");
    const text = await printedText(asked, commands, showAll, columns);
    return { kind: "print", text, isRequested: words.length > 0 };
  }
  if (!command) return rejectCommand(word ?? (words[0] as string));
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
  const namesOf = (options: readonly OptionSpec[]) =>
    options.map(({ name }) => kebab(name));
  const valued = flags.filter(({ kind }) => kind !== "boolean");
  const switches = flags.filter(({ kind }) => kind === "boolean");
  const aliases = flags.map(({ name, alias }) => [kebab(name), alias ?? []]);
  const { argv, error } = Parser.detailed([...words], {
    boolean: [...namesOf(switches), "help", "version"],
    narg: Object.fromEntries(namesOf(valued).map((name) => [name, 1])),
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
  // The parser stores --no-sync as the value false of sync.
  const unknown = Object.keys(parsed)
    .filter((name) => name !== "_" && !known.includes(name))
    .map((name) => (parsed[name] === false ? `no-${name}` : name));
  const wrong = flags.find(({ name, kind, choices }) => {
    const value = parsed[kebab(name)];
    const isText = kind === "string" && typeof value === "string";
    return isText && value !== "" && choices?.includes(value) === false;
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
  const given = valuesOfLine(command, parsed, words);
  const line = new Set(given.keys());
  const config = given.get("config") as string | undefined;
  const { values, warnings } = readSettings(command, commands, env, config);
  const all = new Map([...values, ...given]);
  rejectMissing(all, command);
  const reporting = command.options.filter(isSetting).map(({ name }) => name);
  const isOfCommand = ([name]: [string, unknown]) => reporting.includes(name);
  const settings = new Map([...all].filter(isOfCommand)) as Settings;
  for (const name of reporting) all.delete(name);
  const options = Object.fromEntries(all);
  return { kind: "command", command, options, settings, line, warnings };
}

/** Returns the values on the command line by option name. */
function valuesOfLine(
  spec: CommandSpec,
  parsed: ParsedLine,
  line: readonly string[],
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
    const isSwitch = option.kind === "boolean";
    // yargs-parser reads --dry-run=yes as false.
    const withValue = new RegExp(`^--(?:no-)?${flag}=`);
    if (isSwitch && line.some((word) => withValue.test(word)))
      throw new UsageError(`--${flag} takes no value`, option.name);
    if (Array.isArray(value) && !isSwitch)
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

/** Chooses the shell of the completion script, which yargs takes from SHELL. @throws UsageError */
function chooseShell(shell: string): void {
  if (shell !== "bash" && shell !== "zsh")
    throw new UsageError(
      `completion: expected bash or zsh, found ${shortName(shell)}; without a name, SHELL decides`,
    );
  process.env.SHELL = shell;
}
