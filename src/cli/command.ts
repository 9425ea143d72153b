import type { OptionSpec } from "../options/options-table.js";

/** One of softjac's commands: what its help says, what its line may say, and what it does. */
export interface CommandSpec {
  name: string;
  /** One line of the list of commands. */
  summary: string;
  /** Purpose of the command, below the first line of its own help. */
  usage: string;
  /** Rows of the options table. */
  options: readonly OptionSpec[];
  /** Names of the options that `--help` shows; the others only `--help --all`. */
  common: readonly string[];
  /** Command lines of its help, after "softjac <name>", each with a description. */
  examples: readonly (readonly [line: string, what: string])[];
  /** Last lines of its full help. */
  epilogue?: string;
  /** Runs the command; returns the exit code. `options` have the types of the options table and are not checked further. */
  execute(
    options: Record<string, unknown>,
    settings: Settings,
    line: LineOptions,
  ): Promise<number>;
}

/** Options of the group Reporting that were given, by name. */
export type Settings = ReadonlyMap<string, string | number | boolean>;

/** The options that the command line itself names; others are the environment's or a file's. */
export type LineOptions = ReadonlySet<string>;

/** Returns the option that a command takes as arguments without a flag; undefined if there is none. */
export function wordOf({ options }: CommandSpec): OptionSpec | undefined {
  return options.find(({ word }) => word);
}

/** Returns the options of a command that have flags. */
export function flagsOf({ options }: CommandSpec): OptionSpec[] {
  return options.filter(({ word, isSecret }) => !word && !isSecret);
}

/** Whether an option concerns the process alone, so that no function of the library has it. */
export function isSetting({ group }: OptionSpec): boolean {
  return group === "Reporting";
}
