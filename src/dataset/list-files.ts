import { isUtf8 } from "node:buffer";
import { readdir, realpath, stat } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import picomatch from "picomatch";
import { stateAt } from "../input/input-state.js";
import { inputError, systemErrorKind } from "../io/system-error.js";
import { isHidden } from "./input-names.js";

export interface ListedFiles {
  /** Absolute paths. */
  files: string[];
  /** Hidden files that would otherwise be listed. */
  hidden: string[];
  /** Escaped paths of files whose names are not UTF-8; they are also in `files`. */
  undecodable: ReadonlySet<string>;
}

/**
 * Lists the files below a directory, or those that match a pattern, except hidden ones. Includes devices, pipes, sockets and
 * names that are not UTF-8, so that opening them fails instead of ignoring them silently.
 * @throws InputMissingError for a dangling link in a directory; PermissionError, IoError
 */
export async function listFiles(
  path: string,
  kind: "folder" | "pattern",
): Promise<ListedFiles> {
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
  const undecodable = new Set<string>();

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
      if (!isText && isSeen) {
        if (!isWanted && !(type === "folder" && mayEnter)) continue;
        files.push(file);
        undecodable.add(file);
      } else if (type === "folder" && isSeen && mayEnter) await walk(file);
      else if (type === "file" && isWanted)
        (isSeen ? files : hidden).push(file);
    }
  }

  if (!negated) await walk(top);
  return { files, hidden, undecodable };
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

/**
 * Returns whether an absolute path is a directory or inside it. Compares inodes, so that links and mounts do not matter.
 * @throws IoError, PermissionError
 */
export function isWithin(path: string, folder: string): boolean {
  const wanted = stateAt(folder)?.inode;
  if (wanted === undefined) return false;
  for (let ancestor = path; ; ancestor = dirname(ancestor)) {
    if (stateAt(ancestor)?.inode === wanted) return true;
    if (ancestor === dirname(ancestor)) return false;
  }
}
