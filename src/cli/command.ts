import type { OptionSpec } from "../options-table.js";

/** One of softjac's commands: what its line may say, what its help says, and what it does. */
export interface CommandSpec {
  name: string;
  /** One line of softjac's own help. */
  summary: string;
  /** First lines of its own help, after "softjac <name>". */
  usage: string;
  /** The word beside the options: the option that it stands for, and what it is in messages; null: there is none. */
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
  /** Options without which it does not start, as messages name them, and what they take. */
  required: readonly { option: string; shown: string; what: string }[];
  /** What concerns the process alone, and no library call: how it tells of itself. */
  settings: readonly OptionSpec[];
  /** Command lines of its help, after "softjac <name>". */
  examples: readonly string[];
  /** Last lines of its help. */
  epilogue?: string;
  /** Does it; returns the exit code. `options` are typed by the options table, and not checked further. */
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
