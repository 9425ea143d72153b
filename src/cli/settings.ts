import type { OptionSpec } from "../options-table.js";

/** A setting without a value. */
function flag(name: string, help: string): OptionSpec {
  return { name, kind: "boolean", group: "Reporting", help };
}

export const DRY_RUN = flag("dryRun", "Print the plan and do nothing");

export const JSON_FLAG = flag(
  "json",
  "Print the report as JSON on standard output",
);

/** Of every command. */
const CONFIG: OptionSpec = {
  name: "config",
  kind: "string",
  file: "read",
  value: "file",
  group: "Reporting",
  help: "File of options as JSON; SOFTJAC_* variables come before it, the command line before both",
};

/** Of commands that only look. */
export const LOOK_SETTINGS: readonly OptionSpec[] = [JSON_FLAG, CONFIG];

/** Of every command that makes something. */
export const REPORT_SETTINGS: readonly OptionSpec[] = [
  JSON_FLAG,
  flag("quiet", "Print errors only"),
  {
    name: "logFormat",
    kind: "string",
    choices: ["human", "json"],
    default: "human",
    group: "Reporting",
    help: "What goes to standard error: lines for people, or JSON lines",
  },
  {
    name: "heartbeat",
    kind: "number",
    range: [0.1, 86_400],
    default: 30,
    group: "Reporting",
    help: "Seconds from one line about the state to the next",
  },
  {
    name: "report",
    kind: "string",
    file: "state",
    value: "file",
    group: "Reporting",
    help: "File for the report as JSON, of success or failure",
  },
  {
    name: "statusFile",
    kind: "string",
    file: "state",
    value: "file",
    group: "Reporting",
    help: "File for the state as JSON, renewed with each heartbeat",
  },
  {
    name: "metrics",
    kind: "string",
    file: "state",
    value: "file",
    group: "Reporting",
    help: "File for the state as Prometheus' text format (*.prom), renewed likewise",
  },
  CONFIG,
];
