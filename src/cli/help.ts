import wrapAnsi from "wrap-ansi";
import type { OptionSpec } from "../options-table.js";
import type { CommandSpec } from "./command.js";
import { kebab } from "./option-text.js";

/** Longer lines are hard to read. */
const MOST_COLUMNS = 100;
/** Where what an option does begins; longer names have lines of their own. */
const INDENT = 28;

/** What an option's name and what it does stand in. */
type Row = [name: string, what: string];

/**
 * The help of a command, or of softjac itself: what it is for, examples, then all that it may be told, in groups.
 * @param columns of the terminal
 */
export function helpText(
  commands: readonly CommandSpec[],
  of: CommandSpec | undefined,
  columns = 80,
): string {
  const width = Math.min(MOST_COLUMNS, Math.max(40, columns));
  const sections = of ? commandSections(of) : softjacSections(commands);
  return sections
    .map((section) =>
      typeof section === "string"
        ? wrapAnsi(section, width, { trim: false }).replace(/ +$/gm, "")
        : `${section.title}:\n${section.rows.map((row) => rowText(row, width)).join("\n")}`,
    )
    .join("\n\n");
}

type Section = string | { title: string; rows: Row[] };

function softjacSections(commands: readonly CommandSpec[]): Section[] {
  return [
    "softjac <command>",
    "Softmax and its exact Jacobian for datasets: files of logits in, sparse Arrow tables out.",
    examplesOf(commands.slice(0, 3), 1),
    {
      title: "Commands",
      rows: commands.map((spec) => [nameOf(spec), spec.summary]),
    },
    { title: "Other", rows: [HELP, ["    --version", "Show the version"]] },
    "softjac <command> --help tells more of each.",
  ];
}

function commandSections(command: CommandSpec): Section[] {
  const { name, positional, usage, options, settings, epilogue } = command;
  const [line = "", ...purpose] = usage.split("\n\n");
  const groups = new Map<string, Row[]>();
  const shown = [...options, ...settings].filter(({ isSecret }) => !isSecret);
  for (const spec of shown)
    groups.set(spec.group, [...(groups.get(spec.group) ?? []), rowOf(spec)]);
  return [
    `softjac ${name} ${line}`.trim(),
    purpose.join("\n\n"),
    examplesOf([command], command.examples.length),
    ...(positional
      ? [
          {
            title: "Arguments",
            rows: [[wordsOf(positional), positional.help] satisfies Row],
          },
        ]
      : []),
    ...[...groups].map(([title, rows]) => ({ title, rows })),
    { title: "Other", rows: [HELP] },
    ...(epilogue ? [epilogue] : []),
  ];
}

const HELP: Row = ["-h, --help", "Show this help"];

function examplesOf(commands: readonly CommandSpec[], each: number): string {
  const lines = commands.flatMap(({ name, examples }) =>
    examples
      .slice(0, each)
      .map((example) => `  softjac ${name} ${example}`.trimEnd()),
  );
  return `Examples:\n${lines.join("\n")}`;
}

function nameOf({ name, positional }: CommandSpec): string {
  return positional ? `${name} ${wordsOf(positional)}` : name;
}

function wordsOf({
  option,
  several,
}: NonNullable<CommandSpec["positional"]>): string {
  return `<${option}${several ? ".." : ""}>`;
}

function rowOf(spec: OptionSpec): Row {
  const { name, alias, kind, default: value, help } = spec;
  // What is on unless told otherwise is told otherwise.
  const flag =
    kind === "boolean" && value === true ? `[no-]${kebab(name)}` : kebab(name);
  const short = alias ? `-${alias}, ` : "    ";
  const isSaid = value !== undefined && value !== false;
  return [
    `${short}--${flag}${placeholder(spec)}`,
    isSaid ? `${help} (default: ${value === true ? "yes" : value})` : help,
  ];
}

/** What stands for an option's value. */
function placeholder({ kind, choices, value }: OptionSpec): string {
  switch (kind) {
    case "boolean":
      return "";
    case "integer":
      return " <n>";
    case "number":
      return " <x>";
    case "list":
      return ` <${value ?? "name"},..>`;
    case "ranges":
      return " <3,7-9>";
    case "string":
      return ` <${choices?.join("|") ?? value ?? "name"}>`;
  }
}

function rowText([name, what]: Row, width: number): string {
  const lines = wrapAnsi(what, width - INDENT).split("\n");
  const label = `  ${name}`;
  const indent = " ".repeat(INDENT);
  if (label.length < INDENT - 1)
    return [
      label.padEnd(INDENT) + lines[0],
      ...lines.slice(1).map((line) => indent + line),
    ].join("\n");
  return [label, ...lines.map((line) => indent + line)].join("\n");
}
