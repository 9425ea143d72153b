import { UsageError } from "../errors.js";
import { shortName, shortValue } from "../printable.js";
import { type Command, type OptionSpec, optionsOf } from "./options-table.js";

/** Frozen options in which the options of `Defaulted` have values. */
export type Resolved<Options, Defaulted extends keyof Options = never> = {
  readonly [name in keyof Options]-?: name extends Defaulted
    ? Exclude<Options[name], undefined>
    : Options[name];
};

/**
 * Checks the options of a function against the options table and returns a frozen copy with defaults.
 * @throws UsageError with the option, the expected form and the value
 */
export function resolve<
  Options extends object,
  Defaulted extends keyof Options = never,
>(command: Command, options: Options): Resolved<Options, Defaulted> {
  checkObject("options", options);
  const specs = optionsOf(command).filter(({ group }) => group !== "Reporting");
  const known = specs.map(({ name }) => name);
  for (const name of Object.keys(options))
    if (!known.includes(name))
      throw new UsageError(
        `unknown option ${shortName(name)}; the options are ${known.join(", ")}`,
        name,
      );
  const resolved = new Map<string, unknown>(Object.entries(options));
  for (const spec of specs) {
    const value = resolved.get(spec.name);
    checkValue(spec, value);
    resolved.set(spec.name, value ?? spec.default);
  }
  return Object.freeze(Object.fromEntries(resolved)) as Resolved<
    Options,
    Defaulted
  >;
}

/** @throws UsageError */
export function checkObject(name: string, value: unknown): void {
  if (typeof value !== "object" || value === null)
    throw new UsageError(
      `${name}: expected an object, found ${shortValue(value)}`,
      name,
    );
}

/** Checks the signal and the callbacks of a call. @throws UsageError */
export function checkHooks(hooks: object): void {
  checkObject("hooks", hooks);
  for (const [name, hook] of Object.entries(hooks)) {
    const isValid =
      hook === undefined ||
      (name === "signal"
        ? hook instanceof AbortSignal
        : typeof hook === "function");
    if (!isValid)
      throw new UsageError(
        `${name}: expected ${name === "signal" ? "an AbortSignal" : "a function"}, found ${shortValue(hook)}`,
        name,
      );
  }
}

/** @throws UsageError */
export function checkPath(name: string, value: unknown): void {
  if (typeof value !== "string" || value === "")
    throw new UsageError(
      `${name}: expected a path, found ${shortValue(value)}`,
      name,
    );
}

/** Fields of an option's row that `checkValue` needs. */
export type CheckedOption = Pick<
  OptionSpec,
  "name" | "kind" | "isRequired" | "choices" | "range"
>;

/** Checks a value against its row of the options table. @throws UsageError */
export function checkValue(spec: CheckedOption, value: unknown): void {
  const { name, kind, isRequired, choices } = spec;
  if (kind === "path" || kind === "paths") {
    if (kind === "paths" && !(Array.isArray(value) && value.length > 0))
      throw new UsageError(`${name}: expected at least one path`, name);
    for (const path of kind === "paths" ? (value as unknown[]) : [value])
      checkPath(name, path);
    return;
  }
  if (value === undefined) {
    if (!isRequired) return;
    throw new UsageError(`missing required option ${name}`, name);
  }
  const form = expectedForm(spec, value);
  if (form !== null)
    throw new UsageError(
      `${name}: expected ${form}, found ${shortValue(value)}`,
      name,
    );
  const unknown =
    choices && [value].flat().find((item) => !choices.includes(item as string));
  if (unknown !== undefined)
    throw new UsageError(
      kind === "string"
        ? `${name}: expected ${choices?.join(" or ")}, found ${shortValue(unknown)}`
        : `${name}: expected names among ${choices?.join(", ")}, found ${shortName(`${unknown}`)}`,
      name,
    );
}

/** Returns the form that a value should have; null if it has it. */
function expectedForm(
  { kind, range }: CheckedOption,
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
  const isWithin = (value as number) >= low && (value as number) <= high;
  switch (kind) {
    case "boolean":
      return typeof value === "boolean" ? null : "true or false";
    case "integer":
      if (Number.isSafeInteger(value) && isWithin) return null;
      return `a whole number from ${low}${high === Number.MAX_SAFE_INTEGER ? "" : ` to ${high}`}`;
    case "number":
      if (typeof value === "number" && isWithin) return null;
      return `a number from ${low} to ${high}`;
    case "list":
    case "names":
      return isEach(isText) ? null : "a list of names";
    case "ranges":
      return isEach(isWhole) ? null : "a list of whole numbers from 0";
    default:
      return isText(value) ? null : "a string";
  }
}
