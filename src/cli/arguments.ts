import parser from "yargs-parser";
import { UsageError } from "../errors.js";
import type { RunOptions } from "../options.js";
import { type OptionSpec, RUN_OPTIONS } from "../options-table.js";

/** A command line, understood. */
export type Command =
  | { name: "run"; options: RunOptions; flags: RunFlags }
  | { name: "help"; of: string | undefined }
  | { name: "version" };

/** What concerns the terminal alone. */
export interface RunFlags {
  dryRun: boolean;
  json: boolean;
  quiet: boolean;
}

export const FLAGS = {
  "dry-run": "Print the plan and do nothing",
  json: "Print the report as JSON on standard output",
  quiet: "Print errors only",
} as const;

const COMMANDS = ["run"];

/**
 * Parses a command line with yargs' parser, which is told to leave every value as it was typed: by itself it turns "abc"
 * into NaN and keeps the last of a repeated flag without a word. What is in a value is checked by the options table.
 * @throws UsageError
 */
export function parseArguments(argv: string[]): Command {
  const booleans = RUN_OPTIONS.filter(({ kind }) => kind === "boolean");
  const others = RUN_OPTIONS.filter(({ kind }) => kind !== "boolean");
  const parsed: Record<string, unknown> = parser(argv, {
    boolean: [
      ...booleans.map(({ name }) => kebab(name)),
      ...Object.keys(FLAGS),
      "help",
      "version",
    ],
    string: others.map(({ name }) => kebab(name)),
    configuration: {
      "parse-numbers": false,
      "parse-positional-numbers": false,
      "dot-notation": false,
      "camel-case-expansion": false,
      "strip-aliased": true,
    },
    alias: {
      help: ["h"],
      ...Object.fromEntries(
        RUN_OPTIONS.flatMap(({ name, alias }) =>
          alias ? [[kebab(name), [alias]]] : [],
        ),
      ),
    },
  });
  const [command, ...rest] = (parsed._ as unknown[]).map(String);
  if (parsed.version === true) return { name: "version" };
  if (command !== undefined && !COMMANDS.includes(command))
    throw new UsageError(
      `expected a command among ${COMMANDS.join(", ")}, found ${command} (softjac --help)`,
    );
  if (parsed.help === true) return { name: "help", of: command };
  if (command === undefined)
    throw new UsageError("expected a command, found none (softjac --help)");
  refuseUnknown(parsed, command);
  refuseAmbiguousFlags(argv);
  return runCommand(parsed, rest);
}

function refuseUnknown(parsed: Record<string, unknown>, command: string): void {
  const known = ["_", ...Object.keys(FLAGS), "help", "version"];
  for (const { name } of RUN_OPTIONS) known.push(kebab(name));
  const unknown = Object.keys(parsed).filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new UsageError(
      `expected options that softjac ${command} knows, found ${unknown.map(dashed).join(", ")} (softjac ${command} --help)`,
    );
}

function runCommand(
  parsed: Record<string, unknown>,
  inputs: string[],
): Command {
  if (inputs.length !== 1)
    throw new UsageError(
      `expected one input file, found ${inputs.length === 0 ? "none" : inputs.join(", ")}`,
      "input",
    );
  const options: Record<string, unknown> = { input: inputs[0] };
  for (const spec of RUN_OPTIONS) {
    const value = once(kebab(spec.name), parsed[kebab(spec.name)]);
    if (value !== undefined) options[spec.name] = typed(spec, value);
  }
  const flag = (name: string) => once(name, parsed[name]) === true;
  if (options.output === undefined)
    throw new UsageError(
      "--output (-o): expected a path, found nothing",
      "output",
    );
  return {
    name: "run",
    options: options as unknown as RunOptions,
    flags: {
      dryRun: flag("dry-run"),
      json: flag("json"),
      quiet: flag("quiet"),
    },
  };
}

/**
 * The parser keeps the last of a repeated flag without a word, and takes `--dry-run=yes` for false.
 */
function refuseAmbiguousFlags(argv: string[]): void {
  const seen = new Map<string, number>();
  for (const word of argv) {
    const [, flag, value] = /^--(?:no-)?([a-z][a-z-]*)(=.*)?$/.exec(word) ?? [];
    if (flag === undefined) continue;
    seen.set(flag, (seen.get(flag) ?? 0) + 1);
    if (isFlag(flag) && value !== undefined)
      throw new UsageError(
        `--${flag}: expected no value, found ${value.slice(1)}`,
        flag,
      );
  }
  for (const [flag, times] of seen)
    if (times > 1)
      throw new UsageError(
        `--${flag}: expected once, found ${times} times`,
        flag,
      );
}

function isFlag(name: string): boolean {
  return (
    name in FLAGS ||
    RUN_OPTIONS.some((o) => o.kind === "boolean" && kebab(o.name) === name)
  );
}

function once(flag: string, value: unknown): unknown {
  if (Array.isArray(value))
    throw new UsageError(
      `--${flag}: expected once, found ${value.length} times`,
      flag,
    );
  return value;
}

/** Texts of the command line as the types that the options table names; what is in them is checked there. */
function typed(spec: OptionSpec, value: unknown): unknown {
  if (spec.kind === "boolean") return value;
  if (value === "" || typeof value !== "string")
    throw new UsageError(
      `--${kebab(spec.name)}: expected a value, found nothing`,
      spec.name,
    );
  if (spec.kind === "list") return value.split(",").map((name) => name.trim());
  if (spec.kind === "number") {
    if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value))
      throw new UsageError(
        `--${kebab(spec.name)}: expected a number, found ${JSON.stringify(value)}`,
        spec.name,
      );
    return Number(value);
  }
  if (spec.kind !== "integer") return value;
  if (!/^\d{1,15}$/.test(value))
    throw new UsageError(
      `--${kebab(spec.name)}: expected a whole number, found ${JSON.stringify(value)}`,
      spec.name,
    );
  return Number(value);
}

export function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function dashed(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}
