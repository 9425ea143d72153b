import { DATASET_SECTIONS, PUBLISHING } from "./dataset-table.js";
import { FILE_SECTIONS } from "./file-table.js";
import {
  COMPUTING,
  INPUT_SECTIONS,
  MERGING,
  OUTPUT_SECTIONS,
} from "./run-table.js";
import { SUMS_SECTIONS } from "./sums-table.js";
import {
  type Command,
  flag,
  type NamesOf,
  type OptionSpec,
  type OptionsIn,
  section,
  text,
} from "./table-row.js";

export type { Command, FileUse, OptionSpec } from "./table-row.js";

/** Sections of the options of functions, in the order of help and fingerprints. */
const TABLES = [
  ...[INPUT_SECTIONS, SUMS_SECTIONS, FILE_SECTIONS, OUTPUT_SECTIONS],
  DATASET_SECTIONS,
] as const;

// A table of its own type, because declarations keep comments only in the file of the rows.
type AnySection =
  | (
      | typeof INPUT_SECTIONS
      | typeof SUMS_SECTIONS
      | typeof FILE_SECTIONS
    )[number]
  | (typeof OUTPUT_SECTIONS | typeof DATASET_SECTIONS)[number];

/** Parameter of the options in each section: together they take the intersection of all. */
type Taking<S, C extends Command> = S extends unknown
  ? (options: OptionsIn<S, C>) => void
  : never;

/** Options of a function, whose comments are those of the rows. */
export type OptionsOf<C extends Command> =
  Taking<AnySection, C> extends (options: infer All) => void ? All : never;

/** Frozen options of a function with defaults. */
export type Resolved<C extends Command> = {
  readonly [K in keyof OptionsOf<C>]-?: K extends NamesOf<
    AnySection,
    C,
    "defaulted"
  >
    ? NonNullable<OptionsOf<C>[K]>
    : OptionsOf<C>[K];
};

const WORKING = [
  ...[...COMPUTING, ...PUBLISHING, "submit"],
  ...["verify", "report", "generate", ...MERGING],
] as const as readonly Command[];
const ALL: readonly Command[] = [...WORKING, "show", "inspect", "status", "gc"];

/** Options of commands only: functions of the library do not have them. */
const REPORTING = section("Reporting", WORKING, "process", {
  dryRun: flag("Print the plan; write nothing", { commands: ["run"] }),
  json: flag("Print the report as JSON", { commands: ALL }),
  quiet: flag("Print errors only", { alias: "q" }),
  logFormat: text("Format of the log on standard error", {
    choices: ["human", "json"],
    default: "human",
  }),
  report: text(
    "Write the report (of success or failure) as JSON to this file",
    { file: "state" },
  ),
  metrics: text(
    "Write metrics in the Prometheus text format to this file (*.prom) every 30 s",
    { file: "state" },
  ),
  color: flag("Use colors in a terminal", { commands: ALL, default: true }),
  config: text(
    "JSON file of options; SOFTJAC_* variables and the command line override it",
    { commands: ALL, file: "read" },
  ),
});

/**
 * Options of all functions and commands: the source of types, checks and defaults in the library, and of arguments, flags,
 * variables, config files, help and completion on the command line. Options that affect bytes are part of the fingerprint
 * of a dataset, in this order.
 */
const OPTIONS = [...TABLES.flat(), REPORTING].flatMap((rows) =>
  Object.entries(rows).map(([name, row]) => ({ name, ...row }) as OptionSpec),
);

/** Returns the options of one or more commands. */
export function optionsOf(...commands: readonly Command[]): OptionSpec[] {
  return OPTIONS.filter((option) =>
    commands.some((command) => option.commands.includes(command)),
  );
}
