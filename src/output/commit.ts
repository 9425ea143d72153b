import {
  closeSync,
  constants,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { OutputExistsError, UsageError } from "../errors.js";
import { randomHex } from "../io/random-name.js";
import { ioError, outputCall } from "../system-error.js";
import type { PendingOutput } from "./output-target.js";
import { openTemporary } from "./temporary-file.js";

/**
 * Refuses early what the commit would refuse late.
 * @throws OutputExistsError where something is at `path` (with `force`: something that is not a regular file);
 * UsageError where it is the input itself, where there is one
 */
export function checkTarget(
  path: string,
  force: boolean,
  input?: string,
): void {
  if (path === "-") {
    if (force)
      throw new UsageError(
        "force: expected a file to replace, found standard output",
        "force",
      );
    return;
  }
  if (/[\\/]$/.test(path))
    throw new UsageError(
      `output: expected the name of a file, found ${path}`,
      "output",
    );
  const found = statOrNull(path);
  if (!found) return;
  if (input !== undefined && isSameFile(input, found))
    throw new UsageError(
      `output: expected another file than the input, found ${path}`,
      "output",
    );
  if (!found.isFile())
    throw new OutputExistsError(
      path,
      `${found.isDirectory() ? "a directory" : found.isSymbolicLink() ? "a symbolic link" : "a device or pipe"} (no option replaces it)`,
    );
  if (!force) throw new OutputExistsError(path, "a file (--force replaces it)");
}

export interface PendingOptions {
  force: boolean;
  /** The commit waits for the disk. */
  sync: boolean;
  /** Most of it is written past the page cache. */
  direct?: boolean;
}

/**
 * Opens a temporary file of `bytes` beside `path`.
 * @throws IoError (no space, no such directory), PermissionError
 */
export async function openPending(
  path: string,
  bytes: number,
  { force, sync, direct = false }: PendingOptions,
): Promise<PendingOutput> {
  const directory = dirname(path);
  const temporaryPath = join(
    directory,
    // Part of the name, so that people know whose it is; not all, so that a name of any length has room.
    `.${basename(path).slice(0, 40)}.${process.pid}-${randomHex(12)}.tmp`,
  );
  const file = await openTemporary(path, temporaryPath, bytes, {
    sync,
    direct,
    // What replaces a file is no more readable than that was.
    mode: (force ? statOrNull(path) : null)?.mode,
  });
  return {
    ...file,
    async commit() {
      await file.finish();
      const directoryFd = sync ? openDirectory(directory) : null;
      try {
        outputCall(path, "could not be given its name", () =>
          publish(temporaryPath, path, force),
        );
        file.published();
        if (directoryFd !== null) syncDirectory(directoryFd, path);
      } finally {
        if (directoryFd !== null) closeSync(directoryFd);
      }
    },
  };
}

/** With force a rename, which replaces; else a link, which never does: of two runs at once the first wins. */
function publish(temporaryPath: string, path: string, force: boolean): void {
  if (force) {
    renameSync(temporaryPath, path);
    return;
  }
  try {
    linkSync(temporaryPath, path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST")
      throw new OutputExistsError(path, "a file written by another run", {
        cause: error,
      });
    if (!["EPERM", "EOPNOTSUPP", "ENOTSUP", "ENOSYS"].includes(code ?? ""))
      throw error;
    // A file system without hard links: look, then rename.
    if (statOrNull(path))
      throw new OutputExistsError(path, "a file written by another run", {
        cause: error,
      });
    renameSync(temporaryPath, path);
    return;
  }
  unlinkSync(temporaryPath);
}

/** For its sync, opened before anything is published: null where a directory may not be read. */
function openDirectory(directory: string): number | null {
  try {
    return openSync(directory, constants.O_RDONLY);
  } catch {
    return null;
  }
}

/** The name is durable once its directory is. Some file systems cannot sync a directory; the name stands anyway. */
function syncDirectory(fd: number, path: string): void {
  try {
    fsyncSync(fd);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EINVAL" && code !== "ENOTSUP")
      throw ioError(
        path,
        "is complete and in place, but its directory could not be synced",
        error,
      );
  }
}

function isSameFile(path: string, { dev, ino }: Stats): boolean {
  try {
    const source = statSync(path);
    return source.dev === dev && source.ino === ino;
  } catch {
    // Not to be examined: then opening it says why.
    return false;
  }
}

function statOrNull(path: string): Stats | null {
  try {
    return lstatSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw ioError(path, "could not be examined", error);
  }
}
