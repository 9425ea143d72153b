import yargs, { type Argv, type Options } from "yargs";
import { checkValue } from "../check-options.js";
import { UsageError } from "../errors.js";
import type { OptionSpec } from "../options-table.js";
import { shortList, shortName } from "../printable.js";
import { VERSION } from "../version.js";
import type { CommandSpec, LineOptions, Settings } from "./command.js";
import { configured } from "./configuration.js";
import { didYouMean } from "./nearest.js";
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

/** Longer lines are hard to read. */
const MAX_COLUMNS = 100;

/**
 * Parses a command line with yargs. Every value stays text, because yargs turns "abc" into NaN for a number; the options
 * table checks it. Options that the line does not name come from the environment, then from the config file.
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
  const isWhole =
    words.includes("--all") || words.includes("--get-yargs-completions");
  const chosen: { command?: CommandSpec; parsed?: Parsed } = {};
  const parser = softjac(Math.min(MAX_COLUMNS, Math.max(40, columns)))
    .fail((message, error) => {
      // Its own class of errors is not exported.
      if (error && error.name !== "YError") throw error;
      throw new UsageError(
        sentence(message ?? error.message, chosen.command, words, commands),
      );
    })
    .strictOptions();
  for (const command of commands)
    parser.command({
      command: [command.name, wordsOf(command)].join(" ").trim(),
      describe: command.summary,
      builder(of) {
        chosen.command = command;
        return describe(of, command, isWhole);
      },
      handler(parsed) {
        chosen.parsed = withDashes(parsed) as Parsed;
      },
    });
  parser.completion(
    "completion",
    "Print a script that completes commands and options in bash or zsh",
  );
  let text = "";
  // Given a callback, yargs returns the text that it would print.
  const all = await parser.parse(words, {}, (error, _, printed) => {
    if (error) throw error;
    text = printed;
  });
  if (text !== "") return { does: "print", text, isComplete: true };
  const { command, parsed } = chosen;
  if (command && parsed)
    return understood(command, commands, words, parsed, env);
  const [name] = all._.map(String);
  if (name !== undefined) throw new UsageError(unknownCommand(name, commands));
  return { does: "print", text: await parser.getHelp(), isComplete: false };
}

type Parsed = Record<string, unknown> & { _: (string | number)[] };

/** Values with "-" where its stand-in is. */
function withDashes(value: unknown): unknown {
  if (value === LONE_DASH) return "-";
  if (Array.isArray(value)) return value.map(withDashes);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, of]) => [name, withDashes(of)]),
  );
}

/** The parser without its commands. */
function softjac(columns: number): Argv {
  return yargs()
    .scriptName("softjac")
    .usage(
      "$0 <command>\n\nCompute softmax and its exact Jacobian for files of logits.",
    )
    .parserConfiguration({
      "parse-numbers": false,
      "parse-positional-numbers": false,
      "dot-notation": false,
      "camel-case-expansion": false,
      "strip-aliased": true,
    })
    .detectLocale(false)
    .help("help", "Show help")
    .alias("help", "h")
    .version("version", "Show the version", VERSION)
    .alias("version", ["V", "v"])
    .example([
      ["$0 run logits.npy -o jacobian.arrow", "One file"],
      ["$0 run 'logits/*.npy' -o jacobian/", "A dataset"],
      ["$0 show jacobian.arrow --row 17", "One row of an output"],
    ])
    .epilogue('Run "softjac <command> --help" for the options of a command.')
    .showHelpOnFail(false)
    .exitProcess(false)
    .wrap(columns);
}

/** Tells yargs the options of a command; `--help` hides those that few need. */
function describe(parser: Argv, command: CommandSpec, isWhole: boolean): Argv {
  const { name, positional, usage, examples, epilogue } = command;
  parser
    .usage(`$0 ${[name, wordsOf(command)].join(" ").trim()}\n\n${usage}`)
    .example(examples.map(([line, what]) => [`$0 ${name} ${line}`, what]))
    .epilogue("");
  // verify has an --all of its own; with --help it shows all options as well.
  if (!lineOptions(command).some((option) => option.name === "all"))
    parser.showHidden("all", "Show all options with --help");
  if (positional)
    parser.positional(positional.option, {
      describe: positional.help,
      ...(positional.several && { default: undefined }),
      ...(positional.choices && { choices: positional.choices }),
    });
  for (const option of lineOptions(command))
    parser.option(kebab(option.name), {
      ...yargsOption(option, isWhole),
      hidden: !(option.isCommon || isWhole),
    });
  if (isWhole && epilogue) parser.epilogue(epilogue);
  return parser;
}

function yargsOption(option: OptionSpec, isWhole: boolean): Options {
  const { kind, alias, choices, help, group, default: value } = option;
  return {
    describe: help,
    group: isWhole ? `${group}:` : "Options:",
    ...(alias && { alias }),
    ...(kind === "boolean" ? { boolean: true } : { requiresArg: true }),
    // yargs would give a default as if it had been named.
    ...(value !== undefined &&
      value !== false && {
        defaultDescription: value === true ? "yes" : String(value),
      }),
    ...(choices && kind === "string" && { choices }),
  };
}

/** `<inputs..>` */
function wordsOf({ positional }: CommandSpec): string {
  if (!positional) return "";
  // Optional for yargs, since a config file may have it.
  return `[${positional.option}${positional.several ? ".." : ""}]`;
}

/** The options of a command line; those that are secret are not among them. */
function lineOptions({ options, settings }: CommandSpec): OptionSpec[] {
  return [...options, ...settings].filter(({ isSecret }) => !isSecret);
}

function unknownCommand(
  name: string,
  commands: readonly CommandSpec[],
): string {
  const names = [...commands.map((command) => command.name), "completion"];
  return `unknown command "${shortName(name)}"${didYouMean(name, names)}; run "softjac --help" for the list`;
}

/** A message of yargs in our words. */
function sentence(
  message: string,
  command: CommandSpec | undefined,
  words: readonly string[],
  commands: readonly CommandSpec[],
): string {
  const word = words.find((word) => !word.startsWith("-"));
  if (!command && word !== undefined) return unknownCommand(word, commands);

  const [, flag] =
    /^Not enough arguments following: (.*)$/s.exec(message) ?? [];
  if (flag !== undefined) return `option ${dashed(flag)} needs a value`;
  const [, name = "", given = "", choices = ""] =
    /^Invalid values:\s+Argument: (\S+), Given: "(.*?)", Choices: (.*)$/s.exec(
      message,
    ) ?? [];
  if (choices) {
    const names = choices.replaceAll('"', "").split(", ");
    return `${dashed(name)}: expected one of ${names.join(", ")}, found "${shortName(given)}"${didYouMean(given, names)}`;
  }
  const [, unknown] = /^Unknown arguments?: (.*)$/s.exec(message) ?? [];
  if (unknown === undefined || !command) return message;
  const flags = lineOptions(command).map(({ name }) => `--${kebab(name)}`);
  const names = unknown.split(", ").map(dashed);
  return `unknown option${names.length > 1 ? "s" : ""} ${shortList(
    names,
    (name) => shortName(name) + didYouMean(name, flags),
  )}; run "softjac ${command.name} --help --all" for the list`;
}

function understood(
  command: CommandSpec,
  commands: readonly CommandSpec[],
  words: readonly string[],
  parsed: Parsed,
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

/** The values of a line by the names of options. */
function givenTo(spec: CommandSpec, parsed: Parsed): Map<string, unknown> {
  const given = new Map<string, unknown>();
  const { positional } = spec;
  // Words after "--" are not among the positional ones of yargs.
  const words = [positional && parsed[positional.option], parsed._.slice(1)]
    .flat()
    .filter((word) => word !== undefined && word !== null)
    .map(String);
  const most = positional ? (positional.several ? Infinity : 1) : 0;
  if (words.length > most)
    throw new UsageError(
      `unexpected argument ${shortList(words.slice(most), (word) => `"${shortName(word)}"`)}; softjac ${spec.name} takes ${positional ? `one ${positional.what}` : "options only"}`,
    );
  if (positional && words.length > 0)
    given.set(positional.option, positional.several ? words : words[0]);
  for (const option of lineOptions(spec)) {
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
  for (const setting of spec.settings)
    checkValue(setting, given.get(setting.name));
  return given;
}

/** yargs takes `--dry-run=yes` for false. */
function rejectFlagValues(words: readonly string[], spec: CommandSpec): void {
  for (const { name, kind } of lineOptions(spec))
    if (kind === "boolean" && words.some((word) => isValued(word, kebab(name))))
      throw new UsageError(`--${kebab(name)} takes no value`, name);
}

function isValued(word: string, flag: string): boolean {
  return word.startsWith(`--${flag}=`) || word.startsWith(`--no-${flag}=`);
}

function rejectMissing(
  given: ReadonlyMap<string, unknown>,
  { name, positional, required }: CommandSpec,
): void {
  const help = `; run "softjac ${name} --help"`;
  if (positional && !given.has(positional.option))
    throw new UsageError(
      `missing argument <${positional.option}>: ${positional.what}${help}`,
      positional.option,
    );
  for (const { option, shown } of required)
    if (!given.has(option))
      throw new UsageError(`missing required option ${shown}${help}`, option);
}

function dashed(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}
