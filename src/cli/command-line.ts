import { lstatSync } from "node:fs";
import { EXIT } from "../errors.js";
import { isRemote } from "../io/location.js";
import { ioError } from "../io/system-error.js";
import {
  checkFiles,
  inputFile,
  type UsedFile,
} from "../output/written-files.js";
import { parseArguments } from "./arguments.js";
import {
  type CommandSpec,
  kebab,
  type Settings,
  setFlagsOf,
} from "./command.js";
import { COMMANDS } from "./commands.js";
import { exitCodeOf, reportError } from "./execute.js";
import { openLog } from "./log/log.js";
import { markWorkDone } from "./signals.js";
import { log, resultColumns, resultWritten, writeResult } from "./streams.js";

/** Runs a command line and returns the exit code. */
export async function main(argv: string[]): Promise<number> {
  const code = await executeLine(argv);
  markWorkDone();
  const failure = await resultWritten();
  // A command that failed has already printed its error.
  if (!failure || code !== EXIT.done) return code;
  const error = ioError("standard output", "could not be written", failure);
  log.write(`softjac: ${error.message}\n`);
  return exitCodeOf(error);
}

async function executeLine(argv: string[]): Promise<number> {
  let settings: Settings = new Map();
  try {
    const columns = resultColumns();
    const { env } = process;
    const line = await parseArguments(argv, COMMANDS, { env, columns });
    if (line.kind === "print") {
      if (line.isRequested) writeResult(`${line.text}\n`);
      else log.write(`${line.text}\n`);
      return line.isRequested ? EXIT.done : EXIT.usage;
    }
    const { command, options, warnings } = line;
    settings = line.settings;
    setFlagsOf(command);
    if (settings.get("color") === false) env.NO_COLOR = "1";
    // Keeps upgrade advice of the AWS SDK out of the log.
    env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";
    if (warnings.length > 0) {
      const { warn } = await openLog(settings);
      for (const text of warnings) warn(text);
    }
    await rejectOverwrites(command, options, settings);
    return await command.execute(options, settings, line.line);
  } catch (error) {
    return reportError(error, settings);
  }
}

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
  const { filesOf } = await import("../dataset/list-inputs.js");
  const found: UsedFile[] = [];
  for (const { path, use } of files)
    if (use === "read" && typeof path === "string" && !isRemote(path))
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
