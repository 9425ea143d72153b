import { isUtf8 } from "node:buffer";
import { type Dirent, readdir, readdirSync, statSync } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import picomatch from "picomatch";
import { type FileSystemAdapter, glob } from "tinyglobby";
import { stateAt } from "../input/input-state.js";
import { inputError, systemErrorKind } from "../system-error.js";
import { isHidden } from "./input-names.js";

export interface ListedFiles {
  /** Absolute paths. */
  files: string[];
  /** Hidden files beside them. */
  hidden: string[];
  /** Files whose names are not UTF-8: by the escaped path, which is also in `files`, the bytes of the path. */
  undecodable: ReadonlyMap<string, Buffer>;
}

/**
 * Lists the files in a folder and below, or those that match a pattern, except hidden ones. No file is passed over in
 * silence: glob itself ignores devices, pipes, folders and links that cannot be read, and names that are not UTF-8.
 * @throws InputMissingError for a link to nothing in a folder; PermissionError, IoError
 */
export async function listFiles(
  path: string,
  kind: "folder" | "pattern",
): Promise<ListedFiles> {
  const isFolder = kind === "folder";
  const start = resolve(isFolder ? path : ".");
  const isSeen = (file: string) => !isHidden(relative(start, file).split(sep));
  const undecodable = new Map<string, Buffer>();
  let failed: Error | null = null;
  const fail = (of: string, error: unknown, failure: string) => {
    const isGone = systemErrorKind(error) === "missing";
    if (isSeen(of) && !(isGone && !isFolder))
      failed ??= inputError(of, failure, error);
  };

  const list = (
    folder: string,
    options: { withFileTypes: true },
    done: (error: Error | null, entries?: Dirent[]) => void,
  ) =>
    readdir(folder, options, (error, entries) => {
      if (error) {
        fail(resolve(folder), error, "could not be listed");
        return done(error);
      }
      // Opening a device, pipe or socket refuses it.
      for (const entry of entries)
        entry.isFile = () => !entry.isDirectory() && !entry.isSymbolicLink();
      // A name that is not UTF-8 arrives with this character in it.
      if (!entries.some(({ name }) => name.includes("\ufffd")))
        return done(null, entries);
      const names = new Set<string>();
      for (const name of readdirSync(folder, { encoding: "buffer" }))
        if (isUtf8(name)) names.add(String(name));
        else
          undecodable.set(
            resolve(folder, escaped(name)),
            Buffer.concat([Buffer.from(join(folder, "/")), name]),
          );
      return done(
        null,
        entries.filter(({ name }) => names.has(name)),
      );
    });
  const follow = (
    link: string,
    done: (error: Error | null, path?: string) => void,
  ) =>
    followed(link).then(
      (path) => (path ? done(null, path) : done(new Error("a loop"))),
      (error) => {
        fail(resolve(link), error, "could not be examined");
        done(error);
      },
    );

  // From the folder before the first wildcard: what is beside it, and cannot be read, is no concern of the pattern.
  const { base, glob: wild } = isFolder
    ? { base: path, glob: "**/*" }
    : picomatch.scan(path, { unescape: true });
  const found = await glob(wild, {
    cwd: resolve(base),
    absolute: true,
    onlyFiles: true,
    expandDirectories: false,
    ...(isFolder && { dot: true, ignore: ["**/.*/**", "**/_*/**"] }),
    fs: { readdir: list, realpath: follow } as unknown as FileSystemAdapter,
  });
  if (failed) throw failed;
  const match = picomatch(path);
  const isMatch = (file: string) =>
    isFolder || match(isAbsolute(path) ? file : relative(start, file));
  for (const [file, bytes] of undecodable)
    if (
      !isMatch(file) &&
      !(path.includes("**") && statSync(bytes).isDirectory())
    )
      undecodable.delete(file);
  const files = [...found.map((file) => resolve(file)), ...undecodable.keys()];
  return {
    files: files.filter(isSeen),
    hidden: files.filter((file) => !isSeen(file)),
    undecodable,
  };
}

/** Returns the path that a link leads to; null for a folder that the link is in, whose files would be listed again. */
async function followed(link: string): Promise<string | null> {
  const path = await realpath(link);
  if (!(await stat(path)).isDirectory()) return path;
  const folder = dirname(resolve(link));
  const isLoop =
    isWithin(folder, path) || isWithin(await realpath(folder), path);
  return isLoop ? null : path;
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
