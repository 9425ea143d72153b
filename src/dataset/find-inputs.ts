import { realpathSync } from "node:fs";
import path, { dirname, isAbsolute, posix, relative, sep } from "node:path";
import { InputMissingError, UsageError } from "../errors.js";
import {
  assertSupportedScheme,
  isRemote,
  resolveLocation,
} from "../io/location.js";
import { inputCall } from "../io/system-error.js";
import { checkFiles, inputFile } from "../output/written-files.js";
import { shortList, shortName } from "../printable.js";
import { openStore } from "../storage/open-store.js";
import type { ObjectStore, StoreAccess } from "../storage/store.js";
import type { PlannedState } from "./dataset-plan.js";
import { filesOf, isWithin, objectsOf } from "./list-inputs.js";

/** Inputs of a dataset, and their deepest common directory. */
export interface FoundInputs {
  root: string;
  /** Paths relative to the root, with slashes, in natural order. */
  names: string[];
  /** States of objects from the listing, and of files whose names are not UTF-8, by name. */
  states: ReadonlyMap<string, PlannedState>;
  /** Warning about files that were ignored because of their names. */
  warning: string | null;
}

/**
 * Finds the files or objects that paths, directories (or prefixes) and patterns name. Directories are searched recursively;
 * names that start with `.` or `_` are ignored, because data pipelines do not use them for data.
 * @param others files that the run reads for another purpose, which are no inputs even if they are beside them
 */
export async function findInputs(
  locations: readonly string[],
  output: string,
  access: StoreAccess = {},
  others: readonly string[] = [],
): Promise<FoundInputs> {
  const isOther = new Set(others.map((path) => resolveLocation(path)));
  for (const location of locations) assertSupportedScheme(location, "input");
  const store = locations.some(isRemote)
    ? await openObjects(locations, access)
    : null;
  const found = new Map<string, PlannedState | undefined>();
  const ignored = new Set<string>();
  for (const location of locations) {
    if (store) rejectOutputInside(location, output);
    else {
      const own = { name: "output", path: output, use: "output" } as const;
      checkFiles([own, inputFile(location)]);
    }
    const listed = await (store
      ? objectsOf(store, location)
      : filesOf(location));
    for (const file of listed.ignored) ignored.add(file);
    // A pattern also matches the shards of an earlier dataset inside the output.
    const outside = listed.files.filter(
      (file) => !isInside(file, output) && !isOther.has(file),
    );
    const inputs = outside.length > 0 ? outside : listed.files;
    if (inputs.length === 0)
      throw new InputMissingError(location, undefined, listed.emptyMessage);
    rejectInputsInside(
      output,
      // A name that is not UTF-8 is escaped, and does not exist.
      store ? inputs : inputs.filter((file) => !listed.states?.has(file)),
    );
    for (const file of inputs) found.set(file, listed.states?.get(file));
  }
  const { dirname: folderOf, sep: separator } = store ? posix : path;
  const common = [...found.keys()]
    .map(folderOf)
    .reduce((a, b) => commonFolder(a, b, separator));
  const root = common || separator;
  const start = root.endsWith(separator) ? root.length : root.length + 1;
  const nameOf = (path: string) => path.slice(start).split(separator).join("/");
  const states = [...found].flatMap(([path, state]) =>
    state ? [[nameOf(path), state] as const] : [],
  );
  const unused = [...ignored].filter((file) => !found.has(file));
  return {
    root,
    names: [...found.keys()].map(nameOf).sort(compareNames),
    states: new Map(states),
    warning: ignoredFilesMessage(unused.sort(compareNames)),
  };
}

/**
 * Lists the local files that paths, directories and patterns name, and a warning about ignored files. Paths of no directory and
 * no pattern are returned as they are, so that opening them reports what is wrong.
 */
export async function listInputs(
  paths: readonly string[],
): Promise<{ files: string[]; warning: string | null }> {
  const files: string[] = [];
  const ignored: string[] = [];
  for (const given of paths) {
    assertSupportedScheme(given, "input");
    const isLocal = given !== "-" && !isRemote(given);
    const listed = isLocal ? await filesOf(given) : null;
    const { emptyMessage } = listed ?? {};
    // A file, or nothing, has no such message.
    if (!listed || !emptyMessage) files.push(given);
    else if (listed.files.length === 0)
      throw new InputMissingError(given, undefined, emptyMessage);
    else {
      const sorted = listed.files.sort(compareNames);
      const asGiven = (file: string) => relative("", file);
      files.push(...(isAbsolute(given) ? sorted : sorted.map(asGiven)));
    }
    ignored.push(...(listed?.ignored ?? []));
  }
  const isUsed = new Set(files.map((file) => path.resolve(file)));
  return {
    files,
    warning: ignoredFilesMessage(ignored.filter((file) => !isUsed.has(file))),
  };
}

async function openObjects(
  locations: readonly string[],
  access: StoreAccess,
): Promise<ObjectStore> {
  const sourceOf = (location: string) =>
    isRemote(location)
      ? resolveLocation(location).split("/", 3).join("/")
      : "files";
  const sources = new Set(locations.map(sourceOf));
  if (sources.size > 1)
    throw new UsageError(
      `inputs: all inputs must be in one bucket or all be local files, found ${[...sources].join(", ")}`,
    );
  return (await openStore(locations[0] as string, access)) as ObjectStore;
}

function rejectOutputInside(location: string, output: string): void {
  const prefix = resolveLocation(location);
  if (output === prefix || isInside(output, prefix))
    throw new UsageError(
      `output: ${output} is inside the input ${location}; choose another prefix`,
    );
}

/** Rejects inputs that the output would replace. @throws UsageError */
function rejectInputsInside(output: string, inputs: readonly string[]): void {
  const checked = new Set<string>();
  for (const input of inputs) {
    const realPath = () => realpathSync.native(input);
    const real = isRemote(input)
      ? input
      : inputCall(input, "could not be examined", realPath);
    const folder = dirname(real);
    if (checked.has(folder)) continue;
    if (isRemote(input) ? isInside(input, output) : isWithin(folder, output))
      throw new UsageError(
        `${real === input ? input : `${input} (${real})`} is inside --output ${output}; choose another output`,
        "output",
      );
    checked.add(folder);
  }
}

function isInside(path: string, folder: string): boolean {
  // An object may have the name of a prefix.
  return isRemote(folder)
    ? path.startsWith(`${folder}/`)
    : path === folder || path.startsWith(folder + sep);
}

/** Returns the deepest common directory of two directories. */
function commonFolder(a: string, b: string, separator: string): string {
  const [left, right] = [a.split(separator), b.split(separator)];
  const differs = left.findIndex((name, k) => name !== right[k]);
  return (differs < 0 ? left : left.slice(0, differs)).join(separator);
}

/** Returns the warning about ignored files, or null if there are none. */
function ignoredFilesMessage(names: readonly string[]): string | null {
  if (names.length === 0) return null;
  const count = names.length === 1 ? "1 file is" : `${names.length} files are`;
  return `${count} ignored because of the name: ${shortList(names, (name) => shortName(name.slice(name.lastIndexOf("/") + 1)))}; give the path of such a file to read it`;
}

/** Compares names in natural order: numbers by value, so that `batch_2` sorts before `batch_10`, other text by code unit. */
export function compareNames(a: string, b: string): number {
  const [left, right] = [partsOf(a), partsOf(b)];
  for (let k = 0; k < Math.min(left.length, right.length); k++) {
    const [x, y] = [left[k] as string, right[k] as string];
    const [m, n] = [numberOf(x), numberOf(y)];
    if (m !== null && n !== null && m !== n) return m < n ? -1 : 1;
    if ((m === null || n === null) && x !== y) return x < y ? -1 : 1;
  }
  return left.length - right.length || (a < b ? -1 : a > b ? 1 : 0);
}

function partsOf(name: string): string[] {
  return name.match(/\d+|\D+/g) ?? [];
}

function numberOf(part: string): bigint | null {
  return /^\d/.test(part) ? BigInt(part) : null;
}
