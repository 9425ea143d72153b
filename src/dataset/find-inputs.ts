import { realpathSync } from "node:fs";
import { stat } from "node:fs/promises";
import path, { dirname, posix, resolve, sep } from "node:path";
import picomatch from "picomatch";
import { InputMissingError, UsageError } from "../errors.js";
import {
  assertSupportedScheme,
  isS3,
  resolveLocation,
} from "../io/location.js";
import {
  inputCall,
  inputError,
  systemErrorKind,
  systemErrorName,
} from "../io/system-error.js";
import { checkFiles, inputFile } from "../output/written-files.js";
import { openStore, type StoreAccess } from "../storage/open-store.js";
import type { ObjectStore } from "../storage/store.js";
import type { PlannedState } from "./dataset-plan.js";
import { commonFolder, compareNames, isIgnoredName } from "./input-names.js";
import { isWithin, listFiles } from "./list-files.js";
import {
  type FoundInputs,
  type ListedInputs,
  listObjects,
} from "./list-objects.js";

/**
 * Finds the files or objects that paths, directories (or prefixes) and patterns name. Directories are searched recursively;
 * names that start with `.` or `_` are ignored, because data pipelines do not use them for data.
 * @throws InputMissingError for a path or pattern without files; UsageError for standard input, a URL of an unsupported
 * scheme, inputs in several buckets, an output among the inputs, or an input inside the output
 */
export async function findInputs(
  locations: readonly string[],
  output: string,
  access: StoreAccess = {},
): Promise<FoundInputs> {
  for (const location of locations) assertSupportedScheme(location, "input");
  const store = locations.some(isS3)
    ? await openObjects(locations, access)
    : null;
  const found = new Set<string>();
  const ignored = new Set<string>();
  const states = new Map<string, PlannedState>();
  const undecodable = new Set<string>();
  for (const location of locations) {
    if (store) rejectOutputInside(location, output);
    else {
      const own = { name: "output", path: output, use: "output" } as const;
      checkFiles([own, inputFile(location)]);
    }
    const listed = await (store
      ? listObjects(store, location)
      : filesOf(location));
    for (const file of listed.ignored) ignored.add(file);
    for (const file of listed.undecodable ?? []) undecodable.add(file);
    for (const [file, state] of listed.states ?? []) states.set(file, state);
    // A pattern also matches the shards of an earlier dataset inside the output.
    const outside = listed.files.filter((file) => !isInside(file, output));
    const inputs = outside.length > 0 ? outside : listed.files;
    if (inputs.length === 0)
      throw new InputMissingError(location, undefined, listed.emptyMessage);
    rejectInputsInside(
      output,
      inputs.filter((file) => !undecodable.has(file)),
    );
    for (const file of inputs) found.add(file);
  }
  const { dirname: folderOf, sep: separator } = store ? posix : path;
  const paths = [...found];
  const common = paths
    .map(folderOf)
    .reduce((a, b) => commonFolder(a, b, separator));
  const root = common || separator;
  const start = root.endsWith(separator) ? root.length : root.length + 1;
  const nameOf = (path: string) => path.slice(start).split(separator).join("/");
  return {
    root,
    names: paths.map(nameOf).sort(compareNames),
    ignored: [...ignored].filter((file) => !found.has(file)).sort(compareNames),
    states: new Map(
      [...states]
        .filter(([path]) => found.has(path))
        .map(([path, state]) => [nameOf(path), state]),
    ),
    undecodable: new Set([...undecodable].map(nameOf)),
  };
}

/** @throws UsageError for several buckets, or local files mixed with objects */
async function openObjects(
  locations: readonly string[],
  access: StoreAccess,
): Promise<ObjectStore> {
  const sourceOf = (location: string) =>
    isS3(location)
      ? resolveLocation(location).split("/", 3).join("/")
      : "files";
  const sources = new Set(locations.map(sourceOf));
  if (sources.size > 1)
    throw new UsageError(
      `inputs: all inputs must be in one bucket or all be local files, found ${[...sources].join(", ")}`,
      "inputs",
    );
  return (await openStore(locations[0] as string, access)) as ObjectStore;
}

function rejectOutputInside(location: string, output: string): void {
  const prefix = resolveLocation(location);
  if (output === prefix || isInside(output, prefix))
    throw new UsageError(
      `output: ${output} is inside the input ${location}; choose another prefix`,
      "output",
    );
}

/** Lists the files that a path, directory or pattern names. */
export async function filesOf(path: string): Promise<ListedInputs> {
  if (path === "-")
    throw new UsageError(
      "input: a dataset cannot read standard input, because a resumed run reads its inputs again; give file paths",
      "input",
    );
  const kind = await kindOf(path);
  if (kind === "file") return { files: [resolve(path)], ignored: [] };
  if (kind === "folder") {
    const { files, hidden, undecodable } = await listFiles(path, kind);
    return {
      files: files.filter((file) => !isIgnoredName(file)),
      ignored: [...files.filter(isIgnoredName), ...hidden],
      undecodable,
      emptyMessage: `${path} contains no input files (names that start with . or _ are ignored, and so are text, logs and pictures)`,
    };
  }
  const { isGlob, negated } = picomatch.scan(path);
  if (!isGlob && !negated) return { files: [], ignored: [] };
  const { files, undecodable } = await listFiles(path, "pattern");
  const emptyMessage = `no file matches ${path}`;
  return { files, ignored: [], undecodable, emptyMessage };
}

/** Rejects inputs that the output would replace. @throws UsageError */
function rejectInputsInside(output: string, inputs: readonly string[]): void {
  const checked = new Set<string>();
  for (const input of inputs) {
    const realPath = () => realpathSync.native(input);
    const real = isS3(input)
      ? input
      : inputCall(input, "could not be examined", realPath);
    const folder = dirname(real);
    if (checked.has(folder)) continue;
    if (isS3(input) ? isInside(input, output) : isWithin(folder, output))
      throw new UsageError(
        `${real === input ? input : `${input} (${real})`} is inside --output ${output}; choose another output`,
        "output",
      );
    checked.add(folder);
  }
}

function isInside(path: string, folder: string): boolean {
  // An object may have the name of a prefix.
  return isS3(folder)
    ? path.startsWith(`${folder}/`)
    : path === folder || path.startsWith(folder + sep);
}

async function kindOf(path: string): Promise<"file" | "folder" | null> {
  try {
    const found = await stat(path);
    return found.isDirectory() ? "folder" : "file";
  } catch (error) {
    // A pattern may be longer than file names can be.
    if (systemErrorName(error) === "ENAMETOOLONG") return null;
    if (systemErrorKind(error) === "missing") return null;
    throw inputError(path, "could not be examined", error);
  }
}
