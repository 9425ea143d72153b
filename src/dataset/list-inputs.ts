import { isUtf8 } from "node:buffer";
import { readdir, realpath, stat } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import picomatch from "picomatch";
import { UsageError } from "../errors.js";
import { stateAt } from "../input/input-state.js";
import { resolveLocation } from "../io/location.js";
import {
  inputError,
  systemErrorKind,
  systemErrorName,
} from "../io/system-error.js";
import type { ObjectStore, Stored } from "../storage/store.js";
import type { PlannedState } from "./dataset-plan.js";

/** Inputs that one path, directory or pattern names. */
export interface ListedInputs {
  /** Absolute paths, or locations of objects. */
  files: string[];
  /** Files that are ignored because of their names. */
  ignored: string[];
  /** States of objects from the listing, and of files whose names are not UTF-8, which cannot be opened. */
  states?: ReadonlyMap<string, PlannedState> | undefined;
  /** Error message if there are no files; default: the path does not exist. */
  emptyMessage?: string | undefined;
}

/** Lists the files that a path, directory or pattern names. @throws as `listFiles`; UsageError for standard input */
export async function filesOf(path: string): Promise<ListedInputs> {
  if (path === "-")
    throw new UsageError(
      "input: a dataset cannot read standard input, because a resumed run reads its inputs again; give file paths",
    );
  const kind = await kindOf(path);
  if (kind === "file") return { files: [resolve(path)], ignored: [] };
  if (kind === "folder") {
    const { files, hidden, states } = await listFiles(path, kind);
    return {
      states,
      files: files.filter((file) => !isIgnoredName(file)),
      ignored: [...files.filter(isIgnoredName), ...hidden],
      emptyMessage: `${path} contains no input files (names that start with . or _ are ignored, and so are text, logs and pictures)`,
    };
  }
  const { isGlob, negated } = picomatch.scan(path);
  if (!isGlob && !negated) return { files: [], ignored: [] };
  const { files, states } = await listFiles(path, "pattern");
  const emptyMessage = `no file matches ${path}`;
  return { files, ignored: [], states, emptyMessage };
}

async function kindOf(path: string): Promise<"file" | "folder" | null> {
  try {
    return (await stat(path)).isDirectory() ? "folder" : "file";
  } catch (error) {
    // A pattern may be longer than file names can be.
    if (systemErrorName(error) === "ENAMETOOLONG") return null;
    if (systemErrorKind(error) === "missing") return null;
    throw inputError(path, "could not be examined", error);
  }
}

/**
 * Lists the files below a directory, or those that match a pattern, and separately the hidden ones. Includes devices, pipes,
 * sockets and names that are not UTF-8, so that opening them fails instead of ignoring them silently.
 */
async function listFiles(
  path: string,
  kind: "folder" | "pattern",
): Promise<
  Record<"files" | "hidden", string[]> & Pick<ListedInputs, "states">
> {
  const isFolder = kind === "folder";
  // A walk for a pattern starts at the directory before the first wildcard.
  const { base, glob, negated } = isFolder
    ? { base: path, glob: "**" }
    : picomatch.scan(path, { unescape: true });
  const top = resolve(base);
  const start = isFolder ? top : resolve(".");
  const isMatch = isFolder ? () => true : picomatch(glob, { posix: true });
  const mayContainMatches = directoryFilter(glob);
  const files: string[] = [];
  const hidden: string[] = [];
  const states = new Map<string, PlannedState>();

  async function call<T>(
    file: string,
    failure: string,
    work: () => Promise<T>,
  ) {
    try {
      return await work();
    } catch (error) {
      if (!isFolder && systemErrorKind(error) === "missing") return null;
      throw inputError(file, failure, error);
    }
  }

  async function walk(folder: string): Promise<void> {
    const entries = await call(folder, "could not be listed", () =>
      readdir(folder, { withFileTypes: true, encoding: "buffer" }),
    );
    for (const entry of entries ?? []) {
      const isText = isUtf8(entry.name);
      const name = isText ? String(entry.name) : escaped(entry.name);
      const file = join(folder, name);
      const names = relative(top, file).split(sep);
      const isWanted = isMatch(names.join("/"));
      const mayEnter = mayContainMatches(names);
      const isSeen = !isHidden(relative(start, file).split(sep));
      let type = entry.isDirectory() ? "folder" : "file";
      if (isText && entry.isSymbolicLink() && isSeen && (isWanted || mayEnter))
        type =
          (await call(file, "could not be examined", () => typeOf(file))) ?? "";
      const isEntered = type === "folder" && isSeen && mayEnter;
      if (!isText && (isEntered || (isSeen && isWanted))) {
        files.push(file);
        states.set(file, { bytes: 0 });
      } else if (isEntered) await walk(file);
      else if (type === "file" && isWanted)
        (isSeen ? files : hidden).push(file);
    }
  }

  if (!negated) await walk(top);
  return { files, hidden, states };
}

/** Returns a filter for directories that may contain matches, by their path segments relative to the start of the walk. */
function directoryFilter(glob: string): (names: readonly string[]) => boolean {
  // A group with a slash, such as {a/b,c}, cannot be split into segments.
  if (/[({][^)}]*\//.test(glob)) return () => true;
  const levels = glob.split("/");
  const any = levels.findIndex((level) => level.includes("**"));
  const matches = levels.map((level) => picomatch(level, { posix: true }));
  return (names) =>
    (any >= 0 || names.length < levels.length) &&
    names.every((name, k) => (any >= 0 && k >= any) || matches[k]?.(name));
}

/** Returns the type of a link's target; null for a directory that contains the link, because the walk would not end. */
async function typeOf(link: string): Promise<"file" | "folder" | null> {
  const path = await realpath(link);
  if (!(await stat(path)).isDirectory()) return "file";
  const folder = dirname(link);
  const isLoop =
    isWithin(folder, path) || isWithin(await realpath(folder), path);
  return isLoop ? null : "folder";
}

/** Returns a name with all bytes that are not printable ASCII escaped as \xe9. */
function escaped(name: Buffer): string {
  const hex = (byte: string) =>
    `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`;
  return name.toString("latin1").replace(/[^\x20-\x7e]/g, hex);
}

/** Returns whether an absolute path is a directory or inside it. Compares inodes, so that links and mounts do not matter. */
export function isWithin(path: string, folder: string): boolean {
  const wanted = stateAt(folder)?.inode;
  if (wanted === undefined) return false;
  for (let ancestor = path; ; ancestor = dirname(ancestor)) {
    if (stateAt(ancestor)?.inode === wanted) return true;
    if (ancestor === dirname(ancestor)) return false;
  }
}

/**
 * Lists an object, the objects below a prefix, or those that match a pattern. Empty objects that mark folders are not listed.
 */
export async function objectsOf(
  store: ObjectStore,
  location: string,
): Promise<ListedInputs> {
  const name = resolveLocation(location);
  const [, bucket = "", key = ""] =
    /^(\w+:\/\/[^/]+)\/?(.*)$/s.exec(name) ?? [];
  if (!location.endsWith("/") && key !== "") {
    const one = await store.head(name);
    const states = one && new Map([[name, stateOf(one)]]);
    if (states) return { files: [name], ignored: [], states };
  }
  const { base, input, isGlob } = picomatch.scan(key);
  const folder = isGlob ? base : input;
  const start = folder === "" ? `${bucket}/` : `${bucket}/${folder}/`;
  const isMatch = isGlob ? picomatch(key) : () => true;
  const ignored: string[] = [];
  const states = new Map<string, PlannedState>();
  for await (const [name, object] of store.listAll(start)) {
    if (name.endsWith("/") || !isMatch(name.slice(bucket.length + 1))) continue;
    const parts = name.slice(start.length).split("/");
    const isData = !isHidden(parts) && (isGlob || !isIgnoredName(name));
    if (isData) states.set(name, stateOf(object));
    else if (!isGlob && !isHidden(parts.slice(0, -1))) ignored.push(name);
  }
  const emptyMessage = `no objects at ${location} (names that start with . or _ are ignored)`;
  return { files: [...states.keys()], ignored, states, emptyMessage };
}

function stateOf({ bytes, etag = "" }: Stored): PlannedState {
  return { bytes, etag };
}

/** Returns whether a path contains a hidden name (`_SUCCESS`, `.crc`) or a directory of an unfinished run. */
function isHidden(names: readonly string[]): boolean {
  return names.some(
    (name) => name !== ".." && /^[._]|\.__(?:wip|tmp|old)-/.test(name),
  );
}

/** Extensions of files that are often next to data: descriptions, logs, checksums, pictures and programs. */
const IGNORED_EXTENSIONS =
  /\.(?:crc|md5|sha\d+|json|ya?ml|toml|ini|txt|md|log|html?|xml|png|jpe?g|svg|pdf|py|ipynb|sh|r|sql)$/i;

/** Returns whether listing a directory ignores a file; paths and patterns can still name it. */
function isIgnoredName(name: string): boolean {
  return IGNORED_EXTENSIONS.test(name);
}
