import { readFileSync } from "node:fs";
import { InputFormatError, UsageError } from "../errors.js";
import { inputCall } from "../io/system-error.js";
import { shortName, shortValue } from "../printable.js";
import {
  type Command,
  type OptionSpec,
  type OptionsOf,
  optionsOf,
  type Resolved,
} from "./options-table.js";

/** Options of which a call may have only one. */
const EXCLUSIVE = [
  ["column", "columns"],
  ["class", "classColumn"],
  ["covariance", "covarianceFile"],
  ["temperature", "temperatureFile"],
] as const;

/**
 * Checks the options of a function against the options table and returns a frozen copy with defaults.
 * @throws UsageError with the option, the expected form and the value
 */
export function resolve<C extends Command>(
  command: C,
  given: OptionsOf<C> & object,
): Resolved<C> {
  const specs = optionsOf(command).filter(({ group }) => group !== "Reporting");
  checkNames(
    given,
    specs.map(({ name }) => name),
  );
  const resolved = copyOptions(given) as Record<string, unknown>;
  for (const spec of specs) {
    checkValue(spec, resolved[spec.name]);
    resolved[spec.name] ??= spec.default;
  }
  checkExclusive(given);
  const { temperatureFile } = resolved;
  if (temperatureFile !== undefined) {
    resolved.temperature = readTemperature(String(temperatureFile));
    resolved.temperatureFile = undefined;
  }
  return Object.freeze(resolved) as Resolved<C>;
}

/** Returns a copy of options and their lists, which the caller may change during the call. */
export function copyOptions<Options extends object>(given: Options): Options {
  const copies = Object.entries(given).map(([name, value]) => [
    name,
    Array.isArray(value) ? Object.freeze([...value]) : value,
  ]);
  return Object.fromEntries(copies);
}

/** @throws UsageError for two options of which a call may have only one */
function checkExclusive(given: object): void {
  for (const [name, other] of EXCLUSIVE)
    if (isGiven(given, name) && isGiven(given, other))
      throw new UsageError(`${name}, ${other}: give only one of them`, other);
}

function isGiven(given: object, name: string): boolean {
  return (given as Record<string, unknown>)[name] !== undefined;
}

/** Reads the temperature of a file that `calibrate` wrote. @throws SoftjacError */
function readTemperature(path: string): number {
  const text = inputCall(path, "could not be read", () =>
    readFileSync(path, "utf8"),
  );
  try {
    const { temperature } = JSON.parse(text);
    if (temperature > 0 && Number.isFinite(temperature)) return temperature;
  } catch {}
  const expected =
    "expected a JSON file of softjac calibrate with a temperature above 0";
  throw new InputFormatError(path, "temperature", expected);
}

/** @throws UsageError */
export function checkObject(name: string, value: unknown): void {
  if (typeof value !== "object" || value === null)
    throw unexpected(name, "an object", value);
}

/** Checks that options are an object with known names. @throws UsageError */
export function checkNames(given: object, known: readonly string[]): void {
  checkObject("options", given);
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new UsageError(
      `unknown option ${shortName(unknown)}; the options are ${known.join(", ")}`,
      unknown,
    );
}

/** Checks the signal and the callbacks of a call. @throws UsageError */
export function checkHooks(hooks: object): void {
  checkObject("hooks", hooks);
  for (const [name, hook] of Object.entries(hooks)) {
    if (hook === undefined) continue;
    if (name === "signal" && !(hook instanceof AbortSignal))
      throw unexpected(name, "an AbortSignal", hook);
    if (name === "mainThread" && typeof hook !== "boolean")
      throw unexpected(name, "true or false", hook);
    if (!["signal", "mainThread"].includes(name) && typeof hook !== "function")
      throw unexpected(name, "a function", hook);
  }
}

/** @throws UsageError */
export function checkPath(name: string, value: unknown): void {
  if (!isPath(value)) throw unexpected(name, "a path", value);
}

function isPath(value: unknown): boolean {
  // Node.js rejects a null byte with an error that does not name the option.
  return typeof value === "string" && value !== "" && !value.includes("\0");
}

function unexpected(
  name: string,
  form: string,
  value: unknown,
  shown = shortValue(value),
): UsageError {
  return new UsageError(`${name}: expected ${form}, found ${shown}`);
}

/** Fields of an option's row that `checkValue` needs. */
export type CheckedOption = Pick<
  OptionSpec,
  "name" | "kind" | "isRequired" | "choices" | "range" | "file"
>;

/** Lists with items that may be equal. Those of `keep` may be pieces of names that have commas. */
const REPEATABLE = ["keep", "allow"];

/** Checks a value against its row of the options table. @throws UsageError */
export function checkValue(spec: CheckedOption, value: unknown): void {
  const { name, kind, isRequired, choices } = spec;
  if (kind === "path" || kind === "paths") {
    const paths = kind === "path" ? [value] : value;
    if (!Array.isArray(paths) || paths.length === 0)
      throw new UsageError(`${name}: expected at least one path`);
    for (const path of paths) checkPath(name, path);
    return;
  }
  if (value === undefined) {
    if (!isRequired) return;
    throw new UsageError(`missing required option ${name}`, name);
  }
  const form = expectedForm(spec, value);
  if (form !== null) throw unexpected(name, form, value);
  if ((kind === "list" || kind === "names") && !REPEATABLE.includes(name)) {
    const seen = new Set<string>();
    const repeated = (value as readonly string[]).find(
      (item) => seen.size === seen.add(item).size,
    );
    if (repeated !== undefined)
      throw new UsageError(`${name}: ${shortName(repeated)} is given twice`);
  }
  if (!choices) return;
  const unknown = [value].flat().find((item) => !choices.includes(`${item}`));
  if (unknown === undefined) return;
  if (name === "emit" && unknown === "doubt")
    throw new UsageError("emit: doubt was renamed to uncertainty", name);
  if (kind === "string")
    throw unexpected(name, `one of ${choices.join(", ")}`, unknown);
  const names = `names among ${choices.join(", ")}`;
  throw unexpected(name, names, unknown, shortName(`${unknown}`));
}

/** Returns the form that a value should have; null if it has it. */
function expectedForm(
  { kind, range, file }: CheckedOption,
  value: unknown,
): string | null {
  const isEach = (isValid: (item: unknown) => boolean) =>
    Array.isArray(value) && value.every(isValid);
  const isText = (item: unknown) => typeof item === "string" && item !== "";
  const isWhole = (item: unknown) =>
    Number.isSafeInteger(item) && (item as number) >= 0;
  const [low, high] =
    range ??
    (kind === "integer" ? [0, Number.MAX_SAFE_INTEGER] : [-Infinity, Infinity]);
  const isWithin = typeof value === "number" && value >= low && value <= high;
  switch (kind) {
    case "boolean":
      return typeof value === "boolean" ? null : "true or false";
    case "integer":
      if (Number.isSafeInteger(value) && isWithin) return null;
      return `a whole number from ${low}${high === Number.MAX_SAFE_INTEGER ? "" : ` to ${high}`}`;
    case "number":
      if (isWithin) return null;
      return `a number from ${low}${high === Number.MAX_VALUE ? "" : ` to ${high}`}`;
    case "list":
    case "names":
      return isEach(isText) ? null : "a list of names";
    case "ranges":
      return isEach(isWhole) ? null : "a list of whole numbers from 0";
    default:
      if (file !== undefined) return isPath(value) ? null : "a path";
      return isText(value) ? null : "a string";
  }
}
