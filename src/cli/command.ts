import { UsageError } from "../errors.js";
import { splitNames } from "../input/column-names.js";
import type { OptionSpec } from "../options/options-table.js";
import { shortValue } from "../printable.js";

/** Definition of a command: its help, options and implementation. */
export interface CommandSpec {
  name: string;
  /** Description in the list of commands, one line. */
  summary: string;
  /** Description at the top of the command's own help. */
  description: string;
  /** Rows of the options table. */
  options: readonly OptionSpec[];
  /** Names of the options that `--help` shows; `--help --all` shows the others too. */
  common: readonly string[];
  /** Example command lines without "softjac <name>", alone or with a description. */
  examples: readonly (string | readonly [line: string, what: string])[];
  /** Last lines of the full help. */
  epilogue?: string;
  /** Runs the command and returns the exit code. `options` have the types of the options table. */
  execute(
    options: Record<string, unknown>,
    settings: Settings,
    line: LineOptionNames,
  ): Promise<number>;
}

/** Given options of the group Reporting, by name. */
export type Settings = ReadonlyMap<string, string | number | boolean>;

/** Names of the options on the command line itself, as opposed to the environment or a config file. */
export type LineOptionNames = ReadonlySet<string>;

/** Returns the option for arguments without a flag; undefined if the command has none. */
export function argumentOf({ options }: CommandSpec): OptionSpec | undefined {
  return options.find(({ argument }) => argument);
}

export function flagsOf({ options }: CommandSpec): OptionSpec[] {
  return options.filter(({ argument, isSecret }) => !argument && !isSecret);
}

/** Returns the long flags of an option: `--sync` and `--no-sync` of a switch. */
export function flagNames({ name, kind }: OptionSpec): string[] {
  const flag = kebab(name);
  return kind === "boolean" ? [`--${flag}`, `--no-${flag}`] : [`--${flag}`];
}

/** Whether an option exists only on the command line. */
export function isSetting({ group }: OptionSpec): boolean {
  return group === "Reporting";
}

/** Converts text to the type of an option, without checking ranges and choices. */
export function parseValue(
  { name, kind }: OptionSpec,
  value: unknown,
): unknown {
  if (kind === "boolean") return value;
  const refused = (text: string) =>
    new UsageError(`--${kebab(name)}: ${text}`, name);
  if (value === "" || typeof value !== "string")
    throw refused("the value is empty");
  const found = shortValue(value);
  switch (kind) {
    case "names":
      return splitNames(value);
    case "list":
    case "paths":
      return value.split(",").map((name) => name.trim());
    case "ranges":
      return value.split(",").flatMap((word) => {
        const [, low, high = low] =
          /^(\d{1,7})(?:-(\d{1,7}))?$/.exec(word.trim()) ?? [];
        const [first, last] = [Number(low), Number(high)];
        if (!(first <= last))
          throw refused(
            `expected numbers and ranges as in 3,7-9, found ${found}`,
          );
        return Array.from({ length: last - first + 1 }, (_, k) => first + k);
      });
    case "number":
      if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value))
        throw refused(`expected a number, found ${found}`);
      return Number(value);
    case "integer":
      if (!/^-?\d{1,15}$/.test(value))
        throw refused(`expected a whole number, found ${found}`);
      return Number(value);
    default:
      return value;
  }
}

export function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

let flags: readonly string[] = [];
let helpHint = "";

/** Sets the command for `messageWithFlags`. */
export function setFlagsOf(command: CommandSpec): void {
  flags = flagsOf(command).map(({ name }) => name);
  helpHint = `; run "softjac ${command.name} --help"`;
}

/**
 * Returns the message of an error, with options of the library as flags: at its start ("--top-k: …"), and after "needs",
 * "support" or "option" ("robust needs --label"). Other words may be names of columns and files, so they stay as they are.
 */
export function messageWithFlags(error: Error): string {
  const { message } = error;
  if (!(error instanceof UsageError)) return message;
  const flag = (name: string) =>
    flags.includes(name) ? `--${kebab(name)}` : name;
  const [, names = "", text = message] =
    /^(\w+(?:, \w+)*)(: .*)$/s.exec(message) ?? [];
  const options = names.split(", ");
  const start = options.every((name) => flags.includes(name))
    ? options.map(flag).join(", ")
    : names;
  const hint = /^missing required option \w+$/.test(message) ? helpHint : "";
  return (
    start + text.replace(/(?<=\b(?:needs|support|option) )\w+/g, flag) + hint
  );
}
