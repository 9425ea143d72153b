import {
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  rename,
  rm,
} from "node:fs/promises";
import { dirname } from "node:path";
import { AbortedError, InputMissingError, IoError } from "../errors.js";
import { linkIfAbsent, syncFolder } from "../io/durable-names.js";
import {
  type FolderStore,
  MissingFolderError,
  type Sink,
  type Stored,
  type StoredRange,
  TemporaryFiles,
} from "./store.js";

const MISSING = ["ENOENT", "ENOTDIR"];

const STEP_BYTES = 1 << 20;

/** Files of local or mounted file systems. Names are paths; temporary files must be on the same file system. */
export class PosixStore extends TemporaryFiles implements FolderStore {
  async head(name: string): Promise<Stored | null> {
    const stats = await nullOnCode(MISSING, () => lstat(name));
    return (
      stats && {
        isFile: stats.isFile(),
        isFolder: stats.isDirectory(),
        bytes: stats.size,
        modified: stats.mtimeMs,
      }
    );
  }

  async list(folder: string, start = ""): Promise<Map<string, null>> {
    const names = (await nullOnCode(MISSING, () => readdir(folder))) ?? [];
    const matching = names.filter((name) => name.startsWith(start)).sort();
    return new Map(matching.map((name) => [name, null]));
  }

  async read(name: string): Promise<Uint8Array | null> {
    const file = await nullOnCode(MISSING, () => open(name));
    return file && closing(file, () => file.readFile());
  }

  async readRange(
    name: string,
    { start, end }: StoredRange,
    sink: Sink,
    signal?: AbortSignal,
  ): Promise<void> {
    const file = await nullOnCode(MISSING, () => open(name));
    if (!file) throw new InputMissingError(name);
    await closing(file, async () => {
      const bytes = new Uint8Array(Math.min(STEP_BYTES, end - start));
      for (let offset = start; offset < end; ) {
        if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
        const length = Math.min(bytes.byteLength, end - offset);
        const { bytesRead } = await file.read(bytes, 0, length, offset);
        if (bytesRead === 0) return;
        await sink(bytes.subarray(0, bytesRead), offset);
        offset += bytesRead;
      }
    });
  }

  async makeFolder(name: string): Promise<void> {
    const first = await mkdir(name, { recursive: true });
    const top = dirname(first ?? name);
    for (let folder = dirname(name); ; folder = dirname(folder)) {
      await syncFolder(folder);
      if (folder.length <= top.length) return;
    }
  }

  async putIfAbsent(
    name: string,
    content: Uint8Array | string,
  ): Promise<boolean> {
    const isNew = await this.#asFile(content, (file) =>
      linkIfAbsent(file, name),
    );
    // Another process may have replaced `file` by a link. Without a state, another process has just published the run.
    const state = isNew ? await this.head(name) : null;
    if (state && !state.isFile) {
      await rm(name, { force: true });
      const text = "another process replaced the file by a link or device";
      throw new IoError(name, text);
    }
    await syncFolder(dirname(name));
    return isNew;
  }

  async replace(name: string, content: Uint8Array | string): Promise<void> {
    await this.#asFile(content, async (file) => {
      await rename(file, name);
      return true;
    });
    await syncFolder(dirname(name));
  }

  /** Calls `put` with a file of the content. Removes the file, unless it was given as a path and `put` returned false. */
  async #asFile(
    content: Uint8Array | string,
    put: (file: string) => Promise<boolean>,
  ): Promise<boolean> {
    const isBytes = typeof content !== "string";
    const path = isBytes ? this.temporaryName() : content;
    let isPut = false;
    try {
      if (isBytes) {
        const file = await open(path, "wx", 0o666);
        await closing(file, async () => {
          await file.writeFile(content);
          await file.sync();
        });
      }
      isPut = await put(path);
      return isPut;
    } catch (cause) {
      if (!isCode(cause, MISSING)) throw cause;
      throw new MissingFolderError((cause as Error).message, { cause });
    } finally {
      if (isPut || isBytes) await rm(path, { force: true });
    }
  }

  async rename(from: string, to: string): Promise<boolean> {
    // The system itself never replaces a file or a directory that is not empty.
    const codes = [...MISSING, "EEXIST", "ENOTEMPTY"];
    const isRenamed = await nullOnCode(codes, () =>
      rename(from, to).then(() => true),
    );
    if (isRenamed) await syncFolder(dirname(to));
    return isRenamed ?? false;
  }

  async remove(name: string): Promise<void> {
    // Retries, because another process may still create files in the directory.
    await rm(name, { recursive: true, force: true, maxRetries: 10 });
  }
}

async function closing<T>(
  file: FileHandle,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } finally {
    await file.close();
  }
}

/** Returns the result of a call, or null if it fails with one of the codes. */
async function nullOnCode<T>(
  codes: readonly string[],
  call: () => Promise<T>,
): Promise<T | null> {
  try {
    return await call();
  } catch (error) {
    if (isCode(error, codes)) return null;
    throw error;
  }
}

function isCode(error: unknown, codes: readonly string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException).code ?? "");
}
