import type { OptionSpec } from "../options/options-table.js";

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
  /** Example command lines without "softjac <name>", each with a description. */
  examples: readonly (readonly [line: string, what: string])[];
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

/** Whether an option exists only on the command line. */
export function isSetting({ group }: OptionSpec): boolean {
  return group === "Reporting";
}
