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
  /** Hidden files beside them. */
  hidden: string[];
  /** Escaped paths, which are also in `files`, of files whose names are not UTF-8. */
  undecodable: ReadonlySet<string>;
}

/**
 * Lists the files in a folder and below, or those that match a pattern, except hidden ones. No file is ignored silently:
 * opening a device, pipe or socket refuses it, and so does a name that is not UTF-8.
 * @throws InputMissingError for a link to nothing in a folder; PermissionError, IoError
 */
export async function listFiles(
  path: string,
  kind: "folder" | "pattern",
): Promise<ListedFiles> {
  const isFolder = kind === "folder";
  // The walk begins at the folder before the first wildcard.
  const { base, glob, negated } = isFolder
    ? { base: path, glob: "**" }
    : picomatch.scan(path, { unescape: true });
  const top = resolve(base);
  const start = isFolder ? top : resolve(".");
  const isMatch = isFolder ? () => true : picomatch(glob, { posix: true });
  const isWay = wayOf(glob);
  const files: string[] = [];
  const hidden: string[] = [];
  const undecodable = new Set<string>();

  async function call<T>(of: string, failure: string, work: () => Promise<T>) {
    try {
      return await work();
    } catch (error) {
      if (!isFolder && systemErrorKind(error) === "missing") return null;
      throw inputError(of, failure, error);
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
      const mayEnter = isWay(names);
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

/** Returns whether folders, by their names from the start of a pattern, may contain files that match it. */
function wayOf(glob: string): (names: readonly string[]) => boolean {
  // The parts of a group with a slash cannot be told apart.
  if (/[({][^)}]*\//.test(glob)) return () => true;
  const levels = glob.split("/");
  const any = levels.findIndex((level) => level.includes("**"));
  const matches = levels.map((level) => picomatch(level, { posix: true }));
  return (names) =>
    (any >= 0 || names.length < levels.length) &&
    names.every((name, k) => (any >= 0 && k >= any) || matches[k]?.(name));
}

/** Returns the type of what a link leads to; of a folder that the link is in, whose files would be listed again, none. */
async function typeOf(link: string): Promise<"file" | "folder" | null> {
  const path = await realpath(link);
  if (!(await stat(path)).isDirectory()) return "file";
  const folder = dirname(link);
  const isLoop =
    isWithin(folder, path) || isWithin(await realpath(folder), path);
  return isLoop ? null : "folder";
}

/** Returns the bytes of a name as text: those that are not printable ASCII as \xe9. */
function escaped(name: Buffer): string {
  return name
    .toString("latin1")
    .replace(
      /[^\x20-\x7e]/g,
      (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`,
    );
}

/**
 * Returns whether an absolute path is a folder or lies in it, by device and inode: whatever links and mounts lead there.
 * @throws IoError, PermissionError
 */
export function isWithin(path: string, folder: string): boolean {
  const wanted = stateAt(folder)?.inode;
  if (wanted === undefined) return false;
  for (let one = path; ; one = dirname(one)) {
    if (stateAt(one)?.inode === wanted) return true;
    if (one === dirname(one)) return false;
  }
}
