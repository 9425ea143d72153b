import {
  closeSync,
  constants,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  unlinkSync,
} from "node:fs";
import { dirname } from "node:path";
import { OutputExistsError } from "../errors.js";
import { writeFully } from "../io/positional.js";
import { ioError, outputCall } from "../io/system-error.js";
import type { PendingOutput } from "./output-target.js";
import {
  openTemporary,
  removeStale,
  type TemporaryFile,
  temporaryPathFor,
} from "./temporary-file.js";
import { checkReplaceable, lstatOrNull } from "./written-files.js";

/**
 * Opens a temporary file of `bytes` next to `path`, after removing those of dead processes. `sync`: whether the commit syncs
 * the file and its directory; `direct`: whether to write past the page cache.
 * @throws IoError (no space, no such directory), PermissionError
 */
export async function openPending(
  path: string,
  bytes: number,
  how: { force: boolean; sync: boolean; direct?: boolean },
): Promise<PendingOutput> {
  removeStale(path);
  const { force, sync, direct = false } = how;
  const mode = force ? modeOf(path) : undefined;
  const options = { sync, direct, mode };
  const file = openTemporary(path, temporaryPathFor(path), bytes, options);
  return {
    ...file,
    async commit() {
      await file.finish();
      const directory = sync ? openDirectory(dirname(path)) : null;
      try {
        publish(file, path, force);
        if (directory !== null) syncDirectory(directory, path);
      } finally {
        if (directory !== null) closeSync(directory);
      }
    },
  };
}

/**
 * Writes a whole file, which appears only once it is complete.
 * @throws OutputExistsError, IoError, PermissionError
 */
export async function writeWhole(
  path: string,
  bytes: Uint8Array,
  options: { force: boolean; sync: boolean },
): Promise<void> {
  const output = await openPending(path, bytes.byteLength, options);
  try {
    writeFully(output.fd, bytes, 0);
    await output.commit();
  } catch (error) {
    await output.discard();
    throw ioError(path, "could not be written", error);
  }
}

/**
 * Replaces a small file atomically: readers find the old text or the new one.
 * @throws OutputExistsError if `path` is not a regular file; IoError, PermissionError
 */
export function replaceFile(path: string, text: string): void {
  checkReplaceable(path, true);
  const bytes = new TextEncoder().encode(text);
  const mode = modeOf(path);
  const file = openTemporary(path, temporaryPathFor(path), 0, { mode });
  try {
    outputCall(path, "could not be written", () =>
      writeFully(file.fd, bytes, 0),
    );
    file.close();
    publish(file, path, true);
  } finally {
    file.remove();
  }
}

/** Returns the permissions of an existing file, which the file that replaces it gets. */
function modeOf(path: string): number | undefined {
  const stats = lstatOrNull(path);
  return stats === null ? undefined : Number(stats.mode);
}

/** Renames a complete file to `path`. @throws OutputExistsError, IoError, PermissionError */
function publish(file: TemporaryFile, path: string, force: boolean): void {
  if (force) checkReplaceable(path, true);
  outputCall(path, "could not be renamed to its final name", () =>
    force
      ? renameSync(file.temporaryPath, path)
      : linkIfAbsent(file.temporaryPath, path),
  );
  file.published();
}

/** Publishes a file by a hard link, which never replaces a file: the first of two concurrent runs wins. */
function linkIfAbsent(temporaryPath: string, path: string): void {
  try {
    linkSync(temporaryPath, path);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    const noLinks = ["EPERM", "EOPNOTSUPP", "ENOTSUP", "ENOSYS"].includes(code);
    const exists = "already exists: another run has written it";
    if (code === "EEXIST" || (noLinks && lstatOrNull(path)))
      throw new OutputExistsError(path, exists, { cause: error });
    if (!noLinks) throw error;
    renameSync(temporaryPath, path);
    return;
  }
  unlinkSync(temporaryPath);
}

/** Opens a directory to sync it; null if it cannot be opened. */
function openDirectory(directory: string): number | null {
  try {
    return openSync(directory, constants.O_RDONLY);
  } catch {
    return null;
  }
}

/** Syncs a directory, so that a new name in it is durable. Ignores file systems that cannot sync directories. */
function syncDirectory(fd: number, path: string): void {
  try {
    fsyncSync(fd);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const text = "is complete, but its directory could not be synced";
    if (code !== "EINVAL" && code !== "ENOTSUP")
      throw ioError(path, text, error);
  }
}
