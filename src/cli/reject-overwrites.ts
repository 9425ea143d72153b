import { lstatSync } from "node:fs";
import { isS3 } from "../io/location.js";
import {
  checkFiles,
  inputFile,
  type UsedFile,
} from "../output/written-files.js";
import type { CommandSpec, Settings } from "./command.js";
import { kebab } from "./flags.js";

/**
 * Rejects paths with which a command would overwrite one of its own files, before it opens any.
 * @throws UsageError
 */
export async function rejectOverwrites(
  command: CommandSpec,
  options: Readonly<Record<string, unknown>>,
  settings: Settings,
): Promise<void> {
  const files = filesOf(command, options, settings);
  const written = files.filter(({ use }) => use !== "read");
  if (written.length === 0) return;
  // A file that does not exist yet cannot be an input from a directory or pattern.
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
  return command.options.flatMap(({ name, file: use, argument }) => {
    const shown = argument ? name : `--${kebab(name)}`;
    // The options table rejects values of other types.
    return [options[name] ?? settings.get(name)].flat().flatMap((path) => {
      if (!use || typeof path !== "string" || path === "") return [];
      if (name === "config") return { name: "the config file", path, use };
      return use === "read" ? inputFile(path) : { name: shown, path, use };
    });
  });
}

/** Returns the files in the directories and patterns among the inputs. */
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
