import { dirname, resolve } from "node:path";
import { isS3, STANDARD_INPUT } from "../io/location.js";
import type { Partition } from "./run-metadata.js";

// Directories such as `split=train/part=3/` are columns of the files in them, with one value for all rows of a file.

const NULL = "__HIVE_DEFAULT_PARTITION__";
const INTEGER = /^-?\d{1,18}$/;

/**
 * Returns a function that reads the partitions of a path, the outermost first. Values are int64 if those of the same name
 * are integers in all paths, else text.
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

/** Returns the names and values of a path; the inner one of two directories with the same name wins. */
function entriesOf(path: string): Map<string, string | null> {
  const found = new Map<string, string | null>();
  if (path === STANDARD_INPUT) return found;
  for (const name of dirname(isS3(path) ? path : resolve(path)).split("/")) {
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
