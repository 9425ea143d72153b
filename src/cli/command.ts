import type { OptionSpec } from "../options-table.js";

/** One of softjac's commands: what its line may say, what its help says, and what it does. */
export interface CommandSpec {
  name: string;
  /** One line of the list of commands. */
  summary: string;
  /** The purpose, below the first line of its own help. */
  usage: string;
  /** The argument beside the options: the option that it sets, and its name in messages; null if there is none. */
  positional: {
    option: string;
    what: string;
    help: string;
    /** There may be several: the option is a list. */
    several?: boolean;
    /** For the path of a file or folder: what the command does with it. */
    file?: OptionSpec["file"];
    /** Values, of a word that is not a path. */
    choices?: readonly string[];
  } | null;
  options: readonly OptionSpec[];
  /** Required options, and how messages name them. */
  required: readonly { option: string; shown: string }[];
  /** Options of the process alone, which no library function has: logs, reports, configuration. */
  settings: readonly OptionSpec[];
  /** Command lines of its help, after "softjac <name>", each with what it is an example of. */
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

/** Settings that were given, by name: true for flags. */
export type Settings = ReadonlyMap<string, string | number | boolean>;

/** The options that the command line itself names; others are the environment's or a file's. */
export type LineOptions = ReadonlySet<string>;
