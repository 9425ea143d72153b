import type { Stats } from "node:fs";
import {
  type FileHandle,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  rename,
  rm,
} from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { IoError } from "../errors.js";
import { isAlive, processMark } from "../io/process-mark.js";
import { randomHex } from "../io/random-name.js";
import { hashFile } from "./hash-file.js";
import { type FolderStore, MissingFolder, type Stored } from "./store.js";

/** No hard links here: looking and renaming is as good as it gets. */
const NO_LINKS = ["EPERM", "EOPNOTSUPP", "ENOTSUP", "ENOSYS", "EMLINK"];

/** Files of this machine, or of one that it has mounted. Names are paths. */
export class PosixStore implements FolderStore {
  /** `temporary`: the folder that takes what is unfinished, on the same file system. */
  constructor(private readonly temporary: string) {}

  async stat(name: string): Promise<Stored | null> {
    const found = await statOrNull(name);
    return found && storedOf(found);
  }

  async list(folder: string, start = ""): Promise<string[]> {
    const names = await namesIn(folder);
    return names.filter((name) => name.startsWith(start)).sort();
  }

  async files(folder: string): Promise<Map<string, Stored>> {
    const found = new Map<string, Stored>();
    for (const name of (await namesIn(folder)).sort()) {
      const stats = await statOrNull(join(folder, name));
      if (stats?.isFile()) found.set(name, storedOf(stats));
    }
    return found;
  }

  async read(
    name: string,
    start = 0,
    end?: number,
  ): Promise<Uint8Array | null> {
    return withFile(name, async (file) => {
      const last = end ?? (await file.stat()).size;
      const bytes = new Uint8Array(Math.max(0, last - start));
      let done = 0;
      while (done < bytes.byteLength) {
        const left = bytes.byteLength - done;
        const { bytesRead } = await file.read(bytes, done, left, start + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return bytes.subarray(0, done);
    });
  }

  async hash(name: string, signal?: AbortSignal): Promise<string | null> {
    return withFile(name, (file) => hashFile(file, signal));
  }

  async makeFolder(name: string): Promise<void> {
    const first = await mkdir(name, { recursive: true });
    const top = dirname(first ?? name);
    for (let folder = dirname(name); ; folder = dirname(folder)) {
      await syncFolder(folder);
      if (folder.length <= top.length) return;
    }
  }

  async putIfAbsent(name: string, bytes: Uint8Array): Promise<boolean> {
    const file = await this.#writeTemporary(bytes);
    try {
      return await this.publish(file, name);
    } finally {
      await rm(file, { force: true });
    }
  }

  async replace(name: string, content: Uint8Array | string): Promise<void> {
    const file =
      typeof content === "string"
        ? content
        : await this.#writeTemporary(content);
    try {
      await inFolder(() => rename(file, name));
      await syncFolder(dirname(name));
    } finally {
      await rm(file, { force: true });
    }
  }

  async #writeTemporary(bytes: Uint8Array): Promise<string> {
    const file = this.temporaryName();
    const handle = await inFolder(() => open(file, "wx", 0o666));
    try {
      await handle.writeFile(bytes);
      await handle.sync();
      return file;
    } catch (error) {
      await rm(file, { force: true });
      throw error;
    } finally {
      await handle.close();
    }
  }

  async publish(file: string, name: string): Promise<boolean> {
    const isNew = await inFolder(() => linkIfAbsent(file, name));
    if (isNew) {
      await rm(file, { force: true });
      // The name of a link that somebody has put in the place of the file; nothing, where the run has been published since.
      const found = await statOrNull(name);
      if (found && !found.isFile()) {
        await rm(name, { force: true });
        throw new IoError(
          name,
          "another process replaced the file by a link or device",
        );
      }
    }
    await syncFolder(dirname(name));
    return isNew;
  }

  async rename(from: string, to: string): Promise<boolean> {
    try {
      // Never over a file or a folder with anything in it: the system refuses both.
      await rename(from, to);
    } catch (error) {
      if (isCode(error, "ENOENT", "EEXIST", "ENOTEMPTY", "ENOTDIR"))
        return false;
      throw error;
    }
    await syncFolder(dirname(to));
    return true;
  }

  async remove(name: string): Promise<void> {
    // Another process may be putting something there still.
    const maxRetries = 10;
    await rm(name, { recursive: true, force: true, maxRetries });
  }

  /** A name for what is unfinished that nobody else has. */
  temporaryName(): string {
    const random = randomHex(12);
    return join(this.temporary, `${hostname()}-${processMark()}-${random}`);
  }

  async removeStale(): Promise<void> {
    for (const name of await namesIn(this.temporary))
      if (isAlive(name) === false)
        await rm(join(this.temporary, name), { force: true });
  }
}

/** What `use` makes of an open file; null: there is none. */
async function withFile<T>(
  name: string,
  use: (file: FileHandle) => Promise<T>,
): Promise<T | null> {
  let file: FileHandle;
  try {
    file = await open(name);
  } catch (error) {
    if (isCode(error, "ENOENT", "ENOTDIR")) return null;
    throw error;
  }
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

/** The first gets the name; nobody is overwritten. */
async function linkIfAbsent(file: string, name: string): Promise<boolean> {
  try {
    await link(file, name);
    return true;
  } catch (error) {
    if (isCode(error, "EEXIST")) return false;
    if (!isCode(error, ...NO_LINKS)) throw error;
    if (await statOrNull(name)) return false;
    await rename(file, name);
    return true;
  }
}

async function inFolder<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    if (isCode(cause, "ENOENT", "ENOTDIR"))
      throw new MissingFolder((cause as Error).message, { cause });
    throw cause;
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isCode(error, "ENOENT", "ENOTDIR")) return [];
    throw error;
  }
}

function storedOf(found: Stats): Stored {
  return {
    isFile: found.isFile(),
    isFolder: found.isDirectory(),
    bytes: found.size,
    modified: found.mtimeMs,
  };
}

async function statOrNull(path: string): Promise<Stats | null> {
  try {
    return await lstat(path);
  } catch (error) {
    if (isCode(error, "ENOENT", "ENOTDIR")) return null;
    throw error;
  }
}

/** A name is durable once its folder is. Some file systems cannot sync folders, and some folders go before. */
async function syncFolder(path: string): Promise<void> {
  try {
    const handle = await open(path, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (!isCode(error, "EINVAL", "ENOTSUP", "ENOENT", "EACCES", "EISDIR"))
      throw error;
  }
}

function isCode(error: unknown, ...codes: string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException).code ?? "");
}
