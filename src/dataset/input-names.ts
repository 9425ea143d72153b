import { UsageError } from "../errors.js";

/** Files and folders of tools, not of people: `_SUCCESS`, `.crc`, what a run of ours has under way. */
export function isHidden(names: readonly string[]): boolean {
  return names.some(
    (name) => name !== ".." && /^[._]|\.__(?:wip|tmp|old)-/.test(name),
  );
}

/** The folder that both are in, or one of them itself. */
export function commonFolder(a: string, b: string, separator: string): string {
  const [left, right] = [a.split(separator), b.split(separator)];
  const differs = left.findIndex((name, k) => name !== right[k]);
  return (differs < 0 ? left : left.slice(0, differs)).join(separator);
}

/** The error for an input that replacing the output would delete. */
export function insideOutput(input: string, output: string): UsageError {
  return new UsageError(
    `${input} is inside --output ${output}; choose another output`,
    "output",
  );
}
