import { lstatSync } from "node:fs";
import {
  checkFiles,
  inputFile,
  type UsedFile,
} from "../output/written-files.js";
import { isS3 } from "../store/location.js";
import type { CommandSpec, Settings } from "./command.js";
import { kebab } from "./option-text.js";

/**
 * Rejects paths of a command line, wherever they were given, that would have the command overwrite a file of its own.
 * Which options are paths, and of what use, the tables of options say.
 * @throws UsageError before anything is opened
 */
export async function checkLineFiles(
  command: CommandSpec,
  options: Readonly<Record<string, unknown>>,
  settings: Settings,
): Promise<void> {
  const files = filesOf(command, options, settings);
  const written = files.filter(({ use }) => use !== "read");
  if (written.length === 0) return;
  // Nothing that is not there yet is a file of a folder or pattern.
  if (written.some(({ path }) => isFile(`${path}`)))
    files.push(...(await filesIn(files)));
  checkFiles([
    ...files,
    { name: "standard input", path: 0, use: "read" },
    { name: "standard output", path: 1, use: "read" },
    { name: "standard error", path: 2, use: "read" },
  ]);
}

function filesOf(
  command: CommandSpec,
  options: Readonly<Record<string, unknown>>,
  settings: Settings,
): UsedFile[] {
  return command.options.flatMap(({ name, file: use, word }) => {
    const shown = word ? name : `--${kebab(name)}`;
    // The options table rejects values of other types.
    return [options[name] ?? settings.get(name)].flat().flatMap((path) => {
      if (!use || typeof path !== "string" || path === "") return [];
      return use === "read"
        ? readFile(shown, path)
        : { name: shown, path, use };
    });
  });
}

function readFile(name: string, path: string): UsedFile {
  return name === "--config"
    ? { name: "the config file", path, use: "read" }
    : inputFile(path);
}

/** The files of folders and patterns among those that are read. */
async function filesIn(files: readonly UsedFile[]): Promise<UsedFile[]> {
  const { filesOf } = await import("../dataset/find-inputs.js");
  const found: UsedFile[] = [];
  for (const { path, use } of files)
    if (use === "read" && typeof path === "string" && !isS3(path))
      for (const file of (await filesOf(path)).files)
        found.push(inputFile(file));
  return found;
}

function isFile(path: string): boolean {
  try {
    return lstatSync(path).isFile();
  } catch {
    return false;
  }
}
