import { lstatSync } from "node:fs";
import { link, open, rename } from "node:fs/promises";

/** Error codes of file systems without hard links. */
const NO_LINKS = ["EPERM", "EOPNOTSUPP", "ENOTSUP", "ENOSYS", "EMLINK"];

/** Error codes of directories that cannot be synced, or no longer exist. */
const NO_SYNC = ["EINVAL", "ENOTSUP", "ENOENT", "EACCES", "EISDIR"];

/**
 * Gives a file a name that does not exist, by a hard link: it never replaces a file, and the first of two processes wins.
 * Without hard links, checks and renames, which is not atomic. Afterwards the file may also have its old name.
 * @returns false if the name exists
 */
export async function linkIfAbsent(
  file: string,
  name: string,
): Promise<boolean> {
  try {
    await link(file, name);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return false;
    if (!NO_LINKS.includes(code)) throw error;
    if (lstatSync(name, { throwIfNoEntry: false })) return false;
    await rename(file, name);
  }
  return true;
}

/** Makes the names in a directory durable, if its file system can. */
export async function syncFolder(path: string): Promise<void> {
  try {
    const folder = await open(path, "r");
    await folder.sync().finally(() => folder.close());
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (!NO_SYNC.includes(code)) throw error;
  }
}
