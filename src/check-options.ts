import { UsageError } from "./errors.js";
import type { OptionSpec } from "./options-table.js";
import { shortName, shortValue } from "./printable.js";

/** @throws UsageError where it is no object, naming the argument */
export function checkObject(name: string, value: unknown): void {
  if (typeof value !== "object" || value === null)
    throw new UsageError(
      `${name}: expected an object, found ${shortValue(value)}`,
      name,
    );
}

/** @throws UsageError naming the option that is not among those known */
export function checkNames(options: object, known: readonly string[]): void {
  checkObject("options", options);
  for (const name of Object.keys(options))
    if (!known.includes(name))
      throw new UsageError(
        `unknown option ${shortName(name)}; the options are ${known.join(", ")}`,
        name,
      );
}

/** Checks what a caller is told and stopped by, before anything is done. @throws UsageError */
export function checkHooks(hooks: object): void {
  checkObject("hooks", hooks);
  const { signal, ...calls } = hooks as Record<string, unknown>;
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw new UsageError(
      `signal: expected an AbortSignal, found ${shortValue(signal)}`,
      "signal",
    );
  for (const [name, call] of Object.entries(calls))
    if (call !== undefined && typeof call !== "function")
      throw new UsageError(
        `${name}: expected a function, found ${shortValue(call)}`,
        name,
      );
}

/** @throws UsageError */
export function checkPath(name: string, value: unknown): void {
  if (typeof value !== "string" || value === "")
    throw new UsageError(
      `${name}: expected a path, found ${shortValue(value)}`,
      name,
    );
}

/** Checks the options of a call by their table, and beside them the path of its argument. @throws UsageError */
export function checkOptions(
  options: object,
  specs: readonly OptionSpec[],
  path?: string,
): void {
  const names = specs.map(({ name }) => name);
  checkNames(options, path === undefined ? names : [path, ...names]);
  const given = options as Record<string, unknown>;
  if (path !== undefined) checkPath(path, given[path]);
  for (const spec of specs) checkValue(spec, given[spec.name]);
}

/**
 * Checks a value by its line of the options table; undefined passes.
 * @throws UsageError naming the option, what it takes, and what was found
 */
export function checkValue(spec: OptionSpec, value: unknown): void {
  if (value === undefined) return;
  const fail = (expected: string): never => {
    throw new UsageError(
      `${spec.name}: expected ${expected}, found ${shortValue(value)}`,
      spec.name,
    );
  };
  switch (spec.kind) {
    case "boolean":
      if (typeof value !== "boolean") fail("true or false");
      return;
    case "integer": {
      const [low, high] = spec.range ?? [0, Number.MAX_SAFE_INTEGER];
      const whole = Number.isSafeInteger(value)
        ? (value as number)
        : Number.NaN;
      if (!(whole >= low && whole <= high))
        fail(
          high === Number.MAX_SAFE_INTEGER
            ? `a whole number from ${low}`
            : `a whole number from ${low} to ${high}`,
        );
      return;
    }
    case "number": {
      const [low, high] = spec.range ?? [-Infinity, Infinity];
      if (!(typeof value === "number" && value >= low && value <= high))
        fail(`a number from ${low} to ${high}`);
      return;
    }
    case "list":
    case "names":
      if (
        !Array.isArray(value) ||
        value.some((item) => typeof item !== "string" || item === "")
      )
        fail("a list of names");
      for (const item of value as string[])
        if (spec.choices && !spec.choices.includes(item))
          throw new UsageError(
            `${spec.name}: expected names among ${spec.choices.join(", ")}, found ${shortName(item)}`,
            spec.name,
          );
      return;
    case "ranges":
      if (
        !Array.isArray(value) ||
        !value.every((n) => Number.isSafeInteger(n) && n >= 0)
      )
        fail("a list of whole numbers from 0");
      return;
    case "string":
      if (typeof value !== "string" || value === "") fail("a string");
      if (spec.choices && !spec.choices.includes(value as string))
        fail(spec.choices.join(" or "));
  }
}
