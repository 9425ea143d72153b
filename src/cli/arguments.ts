import { parseArgs } from "node:util";
import { UsageError } from "../errors.js";
import { checkValue } from "../options/check-options.js";
import type { OptionSpec } from "../options/options-table.js";
import { shortList, shortName } from "../printable.js";
import { VERSION } from "../version.js";
import {
  argumentOf,
  type CommandSpec,
  flagNames,
  flagsOf,
  isSetting,
  kebab,
  type LineOptionNames,
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
 * Parses a command line; yargs takes 40 ms to load and is used only for help and completions. Missing options come from the
 * environment, then from the config file.
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
  const has = (...flags: string[]) =>
    flags.some((flag) => words.includes(flag));
  if (has("--version", "-V", "-v"))
    return { kind: "print", text: VERSION, isRequested: true };
  const rejectCommand = async (name: string): Promise<never> => {
    const { unknownCommand } = await import("./unknown.js");
    throw new UsageError(unknownCommand(name, commands));
  };
  // The shell asks for completions of any words.
  const completes = has("--get-yargs-completions");
  const isHelp = has("--help", "-h") && !completes;
  if (isHelp && !command && word !== undefined && word !== "completion")
    await rejectCommand(word);
  if (isHelp || completes || words.length === 0 || word === "completion") {
    const isScript = word === "completion" && !isHelp;
    if (isScript && words[1]) chooseShell(words[1]);
    const { printedText } = await import("./help.js");
    const ofHelp = command ? [command.name, "--help"] : ["--help"];
    const asked = isHelp ? ofHelp : words;
    const showAll = !(command && isHelp) || has("--all");
    const text = await printedText(asked, commands, showAll, columns);
    return { kind: "print", text, isRequested: words.length > 0 };
  }
  if (!command) return rejectCommand(word ?? (words[0] as string));
  const given = await valuesOfLine(command, words);
  return resolveLine(command, commands, given, env);
}

/** Returns the values on the command line by option name. @throws UsageError */
async function valuesOfLine(
  command: CommandSpec,
  words: readonly string[],
): Promise<Map<string, unknown>> {
  const flags = flagsOf(command);
  const options = flags.map(({ name, alias, kind }) => {
    const type = kind === "boolean" ? "boolean" : "string";
    return [kebab(name), { type, ...(alias && { short: alias }) }] as const;
  });
  const { tokens } = parseArgs({
    args: [...words],
    options: Object.fromEntries(options),
    ...{ strict: false, allowPositionals: true, tokens: true },
  });
  const found = tokens.filter((token) => token.kind === "option");
  const specOf = (token: FlagToken) =>
    flags.find((spec) => flagNames(spec).includes(`--${token.name}`));
  const unknown = found.filter((token) => !specOf(token));
  if (unknown.length > 0) {
    const { unknownOptions } = await import("./unknown.js");
    const names = unknown.map(({ rawName }) => rawName);
    throw new UsageError(unknownOptions(names, command));
  }
  const given = wordsOfLine(command, tokens);
  for (const token of found) {
    const spec = specOf(token) as OptionSpec;
    const { name, kind, choices } = spec;
    const value = textOf(spec, token);
    if (given.has(name) && kind !== "boolean")
      throw new UsageError(
        `--${kebab(name)} is given twice; give it once`,
        name,
      );
    if (kind === "string" && value && choices?.includes(`${value}`) === false) {
      const { unknownValue } = await import("./unknown.js");
      throw new UsageError(unknownValue(spec, `${value}`));
    }
    given.set(name, parseValue(spec, value));
  }
  // Functions of the library check the other options.
  for (const setting of command.options.filter(isSetting))
    checkValue(setting, given.get(setting.name));
  return given;
}

type Token = NonNullable<ReturnType<typeof parseArgs>["tokens"]>[number];
type FlagToken = Extract<Token, { kind: "option" }>;

/** Returns the words that are values of the argument, by its name. @throws UsageError for too many */
function wordsOfLine(
  command: CommandSpec,
  tokens: readonly Token[],
): Map<string, unknown> {
  const argument = argumentOf(command);
  const isList = argument?.kind === "paths";
  const [, ...words] = tokens.flatMap((token) =>
    token.kind === "positional" ? [token.value] : [],
  );
  const maxWords = argument ? (isList ? Infinity : 1) : 0;
  if (words.length > maxWords)
    throw new UsageError(
      `unexpected argument ${shortList(words.slice(maxWords), (word) => `"${shortName(word)}"`)}; softjac ${command.name} takes ${argument ? `one ${argument.argument}` : "options only"}`,
    );
  return argument && words.length > 0
    ? new Map([[argument.name, isList ? words : words[0]]])
    : new Map();
}

/** Returns the text after a flag; of a switch, whether it is on. @throws UsageError */
function textOf(
  { name, kind }: OptionSpec,
  { name: flag, rawName, value, inlineValue }: FlagToken,
): string | boolean {
  if (kind === "boolean") {
    if (value === undefined) return flag === kebab(name);
    throw new UsageError(`--${kebab(name)} takes no value`, name);
  }
  // Negative numbers are values, but other options are not.
  if (value === undefined || (!inlineValue && /^-[^\d]/.test(value)))
    throw new UsageError(`option ${rawName} needs a value`);
  return rawName.startsWith("--") ? value : value.replace(/^=/, "");
}

function resolveLine(
  command: CommandSpec,
  commands: readonly CommandSpec[],
  given: ReadonlyMap<string, unknown>,
  env: Context["env"] & object,
): CommandLine {
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
