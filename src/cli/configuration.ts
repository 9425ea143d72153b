import { readFileSync, statSync } from "node:fs";
import { ConfigurationError, UsageError } from "../errors.js";
import { repeatedKey } from "../input/repeated-key.js";
import { checkValue } from "../options/check-options.js";
import type { OptionSpec } from "../options/options-table.js";
import { shortName } from "../printable.js";
import { type CommandSpec, kebab, parseValue } from "./command.js";

const PREFIX = "SOFTJAC_";

/** Variables that Kubernetes sets for a service named softjac. */
const SERVICE_VARIABLE = /^SOFTJAC_(?:SERVICE_|PORT(?:_|$))/;

/**
 * Returns the options of a command from `SOFTJAC_*` variables, else from a JSON file, else from variables of other tools,
 * and warnings about unknown `SOFTJAC_*` variables.
 * @param commands all commands, whose options are accepted in the environment and the file too
 * @throws ConfigurationError for an invalid variable or file; UsageError for a path that is not a file
 */
export function readSettings(
  command: CommandSpec,
  commands: readonly CommandSpec[],
  env: Readonly<Record<string, string | undefined>>,
  path = env.SOFTJAC_CONFIG,
): { values: ReadonlyMap<string, unknown>; warnings: string[] } {
  const file = path ? readConfigFile(path, commands) : {};
  const values = new Map<string, unknown>();
  for (const spec of command.options) {
    const flag = kebab(spec.name);
    const own = variableOf(spec.name);
    const read = (variable: string): boolean => {
      const text = env[variable];
      if (text) values.set(spec.name, valueOfVariable(spec, variable, text));
      return Boolean(text);
    };
    if (read(own)) continue;
    if (flag in file)
      values.set(spec.name, valueOfKey(spec, `${path}: ${flag}`, file[flag]));
    else spec.variables?.some(read);
  }
  const known = new Set(optionsOfAll(commands).map(variableOf));
  const warnings = Object.keys(env)
    .filter((name) => name.startsWith(PREFIX) && env[name])
    .filter((name) => !known.has(name) && !SERVICE_VARIABLE.test(name))
    .map((name) => {
      const option = name.slice(PREFIX.length).toLowerCase();
      const removed = removedOption(option.replaceAll("_", "-"), "the option");
      return `${shortName(name)} is ignored: ${removed ?? "no option has this name"}`;
    });
  return { values, warnings };
}

function optionsOfAll(commands: readonly CommandSpec[]): string[] {
  return commands.flatMap(({ options }) => options.map(({ name }) => name));
}

function variableOf(name: string): string {
  return PREFIX + kebab(name).replaceAll("-", "_").toUpperCase();
}

/** Returns the options in a file, with names in kebab-case. @throws ConfigurationError, UsageError */
function readConfigFile(
  path: string,
  commands: readonly CommandSpec[],
): Record<string, unknown> {
  const text = readText(path);
  const json = orConfigurationError(path, () => JSON.parse(text) as unknown);
  const twice = repeatedKey(text);
  if (twice !== null)
    throw new ConfigurationError(`${path}: ${shortName(twice)} is given twice`);
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    const type = Array.isArray(json) ? "an array" : `a ${typeof json}`;
    throw new ConfigurationError(
      `${path}: expected a JSON object with options, found ${json === null ? "null" : type}`,
    );
  }
  const known = new Set(optionsOfAll(commands).map(kebab));
  const options: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(json)) {
    const name = kebab(key);
    if (!known.has(name) || name === "config")
      throw new ConfigurationError(
        `${path}: ${removedOption(name, name) ?? `${shortName(key)} is not the name of an option`}`,
      );
    if (name in options)
      throw new ConfigurationError(`${path}: ${name} is given twice`);
    options[name] = value;
  }
  return options;
}

/** Reads a regular file. Opening a pipe without a writer would block even signals. */
function readText(path: string): string {
  const found = orConfigurationError(path, () => statSync(path));
  if (!found.isFile())
    throw new UsageError(
      `the config file: ${path} is ${found.isDirectory() ? "a directory" : "a device or pipe"}; give the path of a regular file`,
      "config",
    );
  const text = orConfigurationError(path, () => readFileSync(path, "utf8"));
  // The byte order mark of UTF-16 is not UTF-8.
  if (text.startsWith("\ufffd\ufffd"))
    throw new ConfigurationError(
      `${path}: expected JSON in UTF-8, found UTF-16; save the file as UTF-8`,
    );
  // Editors on Windows start a file with a byte order mark.
  return text.replace(/^\ufeff/, "");
}

function orConfigurationError<T>(path: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const problem =
      code === "ENOENT"
        ? "no such file or directory"
        : code
          ? `cannot be read: ${code}`
          : `cannot be read as JSON: ${message}`;
    throw new ConfigurationError(`${path}: ${problem}`, { cause: error });
  }
}

function valueOfVariable(
  spec: OptionSpec,
  variable: string,
  text: string,
): unknown {
  return checked(spec, variable, () => {
    if (spec.kind !== "boolean") return parseValue(spec, text);
    if (/^(?:true|1)$/i.test(text)) return true;
    return /^(?:false|0)$/i.test(text) ? false : text;
  });
}

/** Returns the value of a key; lists and ranges may be strings as on the command line. */
function valueOfKey(spec: OptionSpec, where: string, value: unknown): unknown {
  const isText =
    typeof value === "string" &&
    ["paths", "list", "names", "ranges"].includes(spec.kind);
  // The reference class may be a number, as in JavaScript.
  const isNumber = spec.name === "base" && typeof value === "number";
  return checked(spec, where, () => {
    if (isNumber) return String(value);
    return isText ? parseValue(spec, value) : value;
  });
}

function checked(
  spec: OptionSpec,
  where: string,
  value: () => unknown,
): unknown {
  try {
    const found = value();
    checkValue(spec, found);
    return found;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    // The message starts with the name of the option.
    const [, text] = /^[^:]*: (.*)$/s.exec(error.message) ?? [];
    throw new ConfigurationError(`${where}: ${text}`, { cause: error });
  }
}

const SIZES = "softjac run --dry-run prints the sizes of a run";
const LIMITS = "SECURITY.md lists the fixed limits";

/** Options of earlier versions, of all commands or of one, and their replacements. */
const REMOVED: Readonly<Record<string, string>> = {
  heartbeat: "progress lines are written every 30 s",
  "inspect temperature": SIZES,
  "inspect threads": SIZES,
  "inspect threshold": SIZES,
  "inspect top-k": SIZES,
  "max-metadata-bytes": LIMITS,
  "max-columns": LIMITS,
  "max-nesting": LIMITS,
  "max-batch-rows": LIMITS,
  "max-decoded-bytes": LIMITS,
  kernel: "softjac chooses the kernel, and both give the same bits",
  "report run-report": "softjac run --json prints the time and throughput",
  "request-timeout": "a request without progress is repeated after 60 s",
  "report sample": "softjac show prints any row",
  "report seed": "the page has no random rows",
  "report verify-report":
    "softjac verify prints the errors, and --report writes them to a file",
  select:
    "--shard-index K --shard-count N computes shard K alone, where N is the number of shards",
  "status-file": "use --metrics FILE, --log-format json or softjac status",
  tolerance: "the bounds of docs/results.md are guaranteed",
  "tensor-type": "the jacobian column is always marked as a tensor",
  "time-limit":
    "timeout --preserve-status SECONDS softjac … stops a command after a time",
};

/**
 * Returns the message for an option of an earlier version; null for any other name.
 * @param command null for the environment and files, which have the options of all commands
 */
export function removedOption(
  name: string,
  shown: string,
  command: string | null = null,
): string | null {
  const ofCommand = command === null ? ownRemoved(name) : `${command} ${name}`;
  const instead = REMOVED[ofCommand] ?? REMOVED[name];
  return instead === undefined ? null : `${shown} was removed; ${instead}`;
}

/** Returns the key in REMOVED of an option that only one command had; "" if there is none. */
function ownRemoved(name: string): string {
  const keys = Object.keys(REMOVED);
  return keys.find((key) => key.endsWith(` ${name}`)) ?? "";
}
