import { dirname, resolve } from "node:path";
import { isRemote, STANDARD_INPUT } from "../io/location.js";
import type { Partition } from "./run-metadata.js";

// Hive partitions: a directory such as `split=train` is a column of the files in it, with one value for all rows.

const NULL = "__HIVE_DEFAULT_PARTITION__";
const INTEGER = /^-?\d{1,18}$/;

/**
 * Returns a function that reads the partitions of a path, outermost first. A column is int64 if its values in all `paths`
 * are integers, else utf8.
 */
export function partitionReader(
  paths: readonly string[],
): (path: string) => Partition[] {
  const texts = new Set<string>();
  const integers = new Set<string>();
  for (const path of paths)
    for (const [name, value] of entriesOf(path))
      if (value !== null) (INTEGER.test(value) ? integers : texts).add(name);
  return (path) =>
    Array.from(entriesOf(path), ([name, value]) => {
      const isInteger = integers.has(name) && !texts.has(name);
      return { name, value, type: isInteger ? "int64" : "utf8" };
    });
}

/** Returns the partitions of a path by name; of two with the same name, the inner one. */
function entriesOf(path: string): Map<string, string | null> {
  const found = new Map<string, string | null>();
  if (path === STANDARD_INPUT) return found;
  for (const name of dirname(isRemote(path) ? path : resolve(path)).split(
    "/",
  )) {
    const [, key, value] = /^([^=]+)=(.*)$/s.exec(name) ?? [];
    if (key !== undefined && value !== undefined)
      found.set(decoded(key), value === NULL ? null : decoded(value));
  }
  return found;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
