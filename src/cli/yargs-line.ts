import { distance } from "fastest-levenshtein";
import yargs, { type Argv, type Options } from "yargs";
import { UsageError } from "../errors.js";
import type { OptionSpec } from "../options-table.js";
import { shortList, shortName } from "../printable.js";
import { VERSION } from "../version.js";
import {
  PARSER_CONFIGURATION,
  type ParsedLine,
  parsedAs,
  type Shown,
} from "./arguments.js";
import { type CommandSpec, flagsOf, wordOf } from "./command.js";
import { kebab } from "./option-text.js";
import { removedOption } from "./removed-options.js";

/** Longer lines are hard to read. */
const MAX_COLUMNS = 100;

/** A parsed command, or text to print; `isComplete` is false for a line without a command. */
export type YargsLine =
  | { command: CommandSpec; parsed: ParsedLine }
  | { text: string; isComplete: boolean };

/**
 * Parses a line with yargs, which prints help, the version and completions, and rejects what it does not know.
 * @throws UsageError
 */
export async function parseWithYargs(
  words: readonly string[],
  commands: readonly CommandSpec[],
  shown: Shown,
  columns: number,
): Promise<YargsLine> {
  const chosen: { command?: CommandSpec; parsed?: ParsedLine } = {};
  const parser = softjac(Math.min(MAX_COLUMNS, Math.max(40, columns)))
    .fail((message, error) => {
      // yargs does not export its class of errors.
      if (error && error.name !== "YError") throw error;
      throw new UsageError(
        sentence(message ?? error.message, chosen.command, words, commands),
      );
    })
    .strictOptions();
  for (const command of commands)
    parser.command({
      command: callOf(command),
      describe: command.summary,
      builder(of) {
        chosen.command = command;
        return describe(of, command, shown);
      },
      handler(parsed) {
        chosen.parsed = parsed;
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
  if (text !== "") return { text, isComplete: true };
  const { command, parsed } = chosen;
  if (command && parsed) return { command, parsed };
  const [name] = all._.map(String);
  if (name !== undefined) throw new UsageError(unknownCommand(name, commands));
  return { text: await parser.getHelp(), isComplete: false };
}

/** The parser without its commands. */
function softjac(columns: number): Argv {
  return yargs()
    .scriptName("softjac")
    .usage(
      "$0 <command>\n\nCompute softmax and its exact Jacobian for files of logits.",
    )
    .parserConfiguration(PARSER_CONFIGURATION)
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
function describe(parser: Argv, command: CommandSpec, shown: Shown): Argv {
  const { name, usage, common, examples, epilogue } = command;
  const flags = flagsOf(command);
  const word = wordOf(command);
  parser
    .usage(`$0 ${callOf(command)}\n\n${usage}`)
    .example(examples.map(([line, what]) => [`$0 ${name} ${line}`, what]))
    .epilogue("");
  // verify has an --all of its own; with --help it shows all options as well.
  if (!flags.some((option) => option.name === "all"))
    parser.showHidden("all", "Show all options with --help");
  if (word)
    parser.positional(word.name, {
      describe: word.help,
      ...(word.kind === "paths" && { default: undefined }),
    });
  for (const option of flags)
    parser.option(kebab(option.name), {
      ...parsedAs(option),
      describe: option.help,
      group: shown === "all" ? `${option.group}:` : "Options:",
      ...defaultOf(option),
      hidden: !(common.includes(option.name) || shown === "all"),
    });
  if (shown === "all" && epilogue) parser.epilogue(epilogue);
  return parser;
}

/** The default as text, since yargs would set a default as if the line had named it. */
function defaultOf({ name, default: value }: OptionSpec): Options {
  if (value === undefined || value === false) return {};
  return {
    defaultDescription:
      value === true ? `yes; --no-${kebab(name)} for no` : String(value),
  };
}

/** `run [inputs..]`. The argument is optional for yargs, since a config file may have it. */
function callOf(command: CommandSpec): string {
  const word = wordOf(command);
  if (!word) return command.name;
  return `${command.name} [${word.name}${word.kind === "paths" ? ".." : ""}]`;
}

function unknownCommand(
  name: string,
  commands: readonly CommandSpec[],
): string {
  const names = [...commands.map((command) => command.name), "completion"];
  return `unknown command "${shortName(name)}"${didYouMean(name, names) || '; run "softjac --help" for the list'}`;
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
  const flags = flagsOf(command).map(({ name }) => `--${kebab(name)}`);
  const names = unknown.split(", ").map(dashed);
  const list = `; run "softjac ${command.name} --help --all" for the list`;
  const removed = unknown
    .split(", ")
    .map((name) => removedOption(name, dashed(name), command.name))
    .find((sentence) => sentence !== null);
  if (removed) return removed;
  const [first = "", ...others] = names;
  if (others.length === 0)
    return `unknown option ${shortName(first)} for "softjac ${command.name}"${didYouMean(first, flags) || list}`;
  const shown = shortList(names, (name) => {
    const meant = nearest(name, flags);
    return `${shortName(name)}${meant === null ? "" : ` (did you mean ${meant}?)`}`;
  });
  return `unknown options ${shown} for "softjac ${command.name}"${list}`;
}

function dashed(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}

/** Returns the end of a sentence, "; did you mean run?", for the nearest of some names; an empty text if none is near. */
export function didYouMean(found: string, names: readonly string[]): string {
  const name = nearest(found, names);
  return name === null ? "" : `; did you mean ${name}?`;
}

/** Returns the nearest of some names; null where more than two letters, or more than a third of them, differ. */
export function nearest(
  found: string,
  names: readonly string[],
): string | null {
  const [best] = names
    .map((name) => ({ name, edits: editsBetween(found, name) }))
    .sort((a, b) => a.edits - b.edits);
  const most = Math.min(2, Math.floor(found.replace(/^-+/, "").length / 3));
  return best && best.edits <= most ? best.name : null;
}

/** Two letters in each other's place are one mistake of a typist. */
function editsBetween(a: string, b: string): number {
  for (let k = 0; k + 1 < a.length; k++) {
    const swapped =
      a.slice(0, k) + a.charAt(k + 1) + a.charAt(k) + a.slice(k + 2);
    if (swapped === b) return 1;
  }
  return distance(a, b);
}
