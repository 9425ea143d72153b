import type { OptionSpec } from "../options-table.js";

/** A setting without a value, shown by `--help`. */
function flag(name: string, help: string): OptionSpec {
  return { name, kind: "boolean", group: "Reporting", help, isCommon: true };
}

export const DRY_RUN = flag("dryRun", "Print the plan; write nothing");

export const JSON_FLAG = flag("json", "Print the report as JSON");

/** Of every command. */
const CONFIG: OptionSpec = {
  name: "config",
  kind: "string",
  file: "read",
  group: "Reporting",
  help: "JSON file of options; SOFTJAC_* variables and the command line override it",
};

const COLOR: OptionSpec = {
  name: "color",
  kind: "boolean",
  default: true,
  group: "Reporting",
  help: "Use colors in a terminal",
};

/** Settings of commands that write no output file. */
export const LOOK_SETTINGS: readonly OptionSpec[] = [JSON_FLAG, COLOR, CONFIG];

/** Of every command that makes something. */
export const REPORT_SETTINGS: readonly OptionSpec[] = [
  JSON_FLAG,
  { ...flag("quiet", "Print errors only"), alias: "q" },
  {
    name: "logFormat",
    kind: "string",
    choices: ["human", "json"],
    default: "human",
    group: "Reporting",
    help: "Format of the log on standard error",
  },
  {
    name: "report",
    kind: "string",
    file: "state",
    group: "Reporting",
    help: "Write the report (of success or failure) as JSON to this file",
  },
  {
    name: "metrics",
    kind: "string",
    file: "state",
    group: "Reporting",
    help: "Write metrics in the Prometheus text format to this file (*.prom) every 30 s",
  },
  COLOR,
  CONFIG,
];
