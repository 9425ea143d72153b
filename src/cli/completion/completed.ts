import type { OptionSpec } from "../../options-table.js";
import type { CommandSpec } from "../command.js";
import { kebab } from "../option-text.js";

/** What a shell is told of an option. */
export interface CompletedOption {
  /** Without dashes. */
  flag: string;
  short: string | null;
  help: string;
  /** What may stand behind it: nothing, one of some words, words with commas between them, a file, anything. */
  value: "none" | "choice" | "choices" | "file" | "any";
  choices: readonly string[];
}

/** What a shell is told of a command. */
export interface CompletedCommand {
  name: string;
  help: string;
  options: CompletedOption[];
  /** Words beside options: files, or one of these. */
  words: "files" | "none" | readonly string[];
}

/** All that can be completed, in the order of the help. */
export function completedCommands(
  commands: readonly CommandSpec[],
): CompletedCommand[] {
  return commands.map(({ name, summary, positional, ...spec }) => ({
    name,
    help: summary,
    options: [
      ...[...spec.options, ...spec.settings]
        .filter(({ isSecret }) => !isSecret)
        .flatMap(completedOption),
      {
        flag: "help",
        short: "h",
        help: "Show this help",
        value: "none",
        choices: [],
      },
    ],
    words: positional ? (positional.choices ?? "files") : "none",
  }));
}

function completedOption(spec: OptionSpec): CompletedOption[] {
  const { name, alias, kind, choices = [], help } = spec;
  const option = { short: alias ?? null, help, choices };
  const flag = kebab(name);
  if (kind === "boolean")
    return [
      {
        ...option,
        flag: spec.default === true ? `no-${flag}` : flag,
        value: "none",
      },
    ];
  const isFile = spec.value === "file";
  const value = choices.length === 0 ? (isFile ? "file" : "any") : "choice";
  return [
    {
      ...option,
      flag,
      value: kind === "list" && choices.length > 0 ? "choices" : value,
    },
  ];
}
