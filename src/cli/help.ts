import yargs, { type Argv, type Options } from "yargs";
import type { OptionSpec } from "../options/options-table.js";
import { VERSION } from "../version.js";
import { argumentOf, type CommandSpec, flagsOf, kebab } from "./command.js";

const MAX_COLUMNS = 100;

/** Returns the text that yargs prints for a command line: help, completions or the completion script. */
export async function printedText(
  words: readonly string[],
  commands: readonly CommandSpec[],
  showAll: boolean,
  columns: number,
): Promise<string> {
  const parser = softjac(Math.min(MAX_COLUMNS, Math.max(40, columns)));
  for (const command of commands)
    parser.command({
      command: callOf(command),
      describe: command.summary,
      builder: (of) => describe(of, command, showAll),
      handler() {},
    });
  parser.completion(
    "completion",
    "Print a script that completes commands and options in bash or zsh",
  );
  let text = "";
  // Given a callback, yargs returns the text that it would print.
  await parser.parse(words, {}, (error, _, printed) => {
    if (error) throw error;
    text = printed;
  });
  return text || parser.getHelp();
}

function softjac(columns: number): Argv {
  return yargs()
    .scriptName("softjac")
    .usage(
      "$0 <command>\n\nCompute softmax and its exact Jacobian for files of logits.",
    )
    .parserConfiguration({ "camel-case-expansion": false })
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

/** Adds the options of a command to its yargs parser; `--help` without `--all` hides uncommon ones. */
function describe(parser: Argv, command: CommandSpec, showAll: boolean): Argv {
  const { name, description, common, examples, epilogue } = command;
  const flags = flagsOf(command);
  const argument = argumentOf(command);
  parser
    .usage(`$0 ${callOf(command)}\n\n${description}`)
    .example(
      examples.map((example) => {
        const [line = "", what = ""] = [example].flat();
        return [`$0 ${name} ${line}`, what];
      }),
    )
    .epilogue("");
  // verify has its own --all, which also shows all options if --help is given.
  if (!flags.some((option) => option.name === "all"))
    parser.showHidden("all", "Show all options with --help");
  if (argument)
    parser.positional(argument.name, {
      describe: argument.help,
      ...(argument.kind === "paths" && { default: undefined }),
    });
  for (const option of flags)
    parser.option(kebab(option.name), {
      ...(option.alias && { alias: option.alias }),
      ...(option.kind === "boolean" && { boolean: true }),
      ...(option.choices &&
        option.kind === "string" && { choices: option.choices }),
      describe: option.help,
      group: showAll ? `${option.group}:` : "Options:",
      ...defaultOf(option),
      hidden: !(common.includes(option.name) || showAll),
    });
  if (showAll && epilogue) parser.epilogue(epilogue);
  return parser;
}

/** Returns the default as text, because yargs treats a real default like a given option. */
function defaultOf({ name, default: value }: OptionSpec): Options {
  if (value === undefined || value === false) return {};
  return {
    defaultDescription:
      value === true ? `yes; --no-${kebab(name)} for no` : String(value),
  };
}

/** Returns `run [inputs..]`. The argument is optional for yargs, because a config file may contain it. */
function callOf(command: CommandSpec): string {
  const argument = argumentOf(command);
  if (!argument) return command.name;
  return `${command.name} [${argument.name}${argument.kind === "paths" ? ".." : ""}]`;
}
