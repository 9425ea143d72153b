import { renameSync } from "node:fs";
import { dirname } from "node:path";
import { OutputExistsError } from "../errors.js";
import { linkIfAbsent, syncFolder } from "../io/durable-names.js";
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
      if (force) publishOver(file, path);
      else await publishNew(file, path);
      if (sync)
        await syncFolder(dirname(path)).catch((error) => {
          const text = "is complete, but its directory could not be synced";
          throw ioError(path, text, error);
        });
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
    publishOver(file, path);
  } finally {
    file.remove();
  }
}

/** Returns the permissions of an existing file, which the file that replaces it gets. */
function modeOf(path: string): number | undefined {
  const stats = lstatOrNull(path);
  return stats === null ? undefined : Number(stats.mode);
}

const NOT_NAMED = "could not be renamed to its final name";

/** Renames a complete file to `path`, where it replaces a file. @throws OutputExistsError, IoError, PermissionError */
function publishOver(file: TemporaryFile, path: string): void {
  checkReplaceable(path, true);
  outputCall(path, NOT_NAMED, () => renameSync(file.temporaryPath, path));
  file.published();
}

/** Gives a complete file the name `path`, which must not exist. @throws OutputExistsError, IoError, PermissionError */
async function publishNew(file: TemporaryFile, path: string): Promise<void> {
  const isNew = await linkIfAbsent(file.temporaryPath, path).catch((error) => {
    throw ioError(path, NOT_NAMED, error);
  });
  if (!isNew)
    throw new OutputExistsError(
      path,
      "already exists: another run has written it",
    );
  file.remove();
}
