import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { COMMANDS } from "../../src/cli/commands.js";

const directory = fileURLToPath(new URL("../../examples", import.meta.url));

/** Paths of all examples, relative to examples/, without a packed tarball. */
export const EXAMPLES: readonly string[] = readdirSync(directory, {
  recursive: true,
  withFileTypes: true,
})
  .filter((entry) => entry.isFile() && !/\.(tgz|pyc)$/.test(entry.name))
  .map(({ parentPath, name }) =>
    join(parentPath, name)
      .slice(directory.length + 1)
      .replaceAll("\\", "/"),
  )
  .sort();

export function pathOfExample(name: string): string {
  return join(directory, name);
}

export function readExample(name: string): string {
  return readFileSync(pathOfExample(name), "utf8");
}

/** Word before the name of a command. */
const SOFTJAC = /^(\/\S+\/)?softjac(-[a-z]+)?$/;

/**
 * Returns the arguments of every softjac command in an example, whether it is a shell command line or a list of strings
 * in YAML, JSON or Python.
 */
export function commandsOf(name: string): string[][] {
  const text = readExample(name).replaceAll(/\\\n/g, " ");
  return text.split("\n").flatMap((line) =>
    line.split(/&&|;|\|/).flatMap((part) => {
      const words = part
        // End of a command in a shell string, and of a list in YAML or Python.
        .replace(/\\"" .*/, "")
        .replace(/\b(args|command|arguments)(: |=)\[/, " softjac ")
        .replaceAll(/[[\](),"'`\\=]/g, " ")
        .replaceAll(/\bstr\b|\$\{?(\w+)\}?|\{([\w.:]+)\}/g, " $1$2 ")
        .split(/\s+/)
        .filter(Boolean);
      const start = words.findIndex(
        (word, k) =>
          COMMANDS.some((command) => command.name === word) &&
          SOFTJAC.test(words[k - 1] ?? ""),
      );
      return start < 0 ? [] : [words.slice(start)];
    }),
  );
}
