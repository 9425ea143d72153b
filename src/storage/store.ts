import { createHash } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { InputMissingError } from "../errors.js";
import { isAlive, processMark, randomHex } from "../io/temporary-names.js";

/** File, folder or object under a name. */
export interface Stored {
  isFile: boolean;
  isFolder: boolean;
  bytes: number;
  /** Milliseconds since 1970. */
  modified: number;
  /** Tag of an object's content, as the store writes it. */
  etag?: string;
}

/** Bytes `[start, end)` of a file; with `etag`, of the object with that content. */
export interface StoredRange {
  start: number;
  end: number;
  etag?: string | undefined;
}

/** Takes bytes in order; the next ones come once its promise is fulfilled. */
export type Sink = (bytes: Uint8Array, position: number) => Promise<void>;

/**
 * Storage of datasets: names with slashes, and files that appear whole and never change. test/storage has one suite of tests
 * that every implementation passes.
 */
export interface Store {
  /** Returns the state of a name; null: there is nothing. Links are not followed. */
  head(name: string): Promise<Stored | null>;
  /**
   * Lists the names in a folder that begin with `start`, in order; none if there is no folder. The state is null if the
   * list does not include it.
   */
  list(folder: string, start?: string): Promise<Map<string, Stored | null>>;
  /** Returns all bytes of a small file; null: there is none. */
  read(name: string): Promise<Uint8Array | null>;
  /**
   * Passes bytes of a file to `sink`: all of the range, or as many as the file has.
   * @throws InputMissingError: there is none; ReplacedError: its content has another tag; AbortedError
   */
  readRange(
    name: string,
    range: StoredRange,
    sink: Sink,
    signal?: AbortSignal,
  ): Promise<void>;
  /**
   * Puts bytes, or a file of this machine that is on disk, under a name that nothing has. The file is durable once the
   * promise is fulfilled. A path is removed if it was put.
   * @returns false if something has the name, which stays
   * @throws MissingFolder
   */
  putIfAbsent(name: string, content: Uint8Array | string): Promise<boolean>;
  /** Removes a file, and a folder with everything in it; links are removed, not followed. No error if there is nothing. */
  remove(name: string): Promise<void>;
  /** Returns a new path of this machine for a file that is to be put. */
  temporaryName(): string;
  /** Removes temporary files of dead processes of this machine. */
  removeStale(): Promise<void>;
}

/** Store whose files and folders can be renamed. Only `makeFolder` creates folders, so that a late process finds none. */
export interface FolderStore extends Store {
  makeFolder(name: string): Promise<void>;
  /** Gives a folder a name that nothing has. false: there is no such folder, or something has the name. */
  rename(from: string, to: string): Promise<boolean>;
  /** Puts content in place of a file: readers see the old file or the new one. */
  replace(name: string, content: Uint8Array | string): Promise<void>;
}

/** Store without folders, where nothing is renamed: a folder is what names have before a slash. */
export interface ObjectStore extends Store {
  /** Yields everything whose name begins with `start`. */
  listAll(start: string): AsyncIterable<[name: string, found: Stored]>;
  /** Yields uploads below a folder that were not completed; the store keeps their bytes until they are aborted. */
  uploadsIn(folder: string): AsyncIterable<StoredUpload>;
  /**
   * Tests whether the store refuses to replace `existing`, which has these bytes, at the end of an upload in pieces; does
   * nothing if the file is sent in one request.
   * @throws ConfigurationError
   */
  checkUploads(
    file: string,
    existing: string,
    bytes: Uint8Array,
  ): Promise<void>;
}

export interface StoredUpload {
  name: string;
  /** Milliseconds since 1970. */
  started: number;
  abort(): Promise<void>;
}

export function hasFolders(store: Store): store is FolderStore {
  return "rename" in store;
}

/** The folder of a file that was to be put is gone: another process published or removed the run. */
export class MissingFolderError extends Error {}

/** Cause of the error of a read whose object has another content. */
export class ReplacedError extends Error {}

/** Temporary files of a store, in a folder of this machine. Their names begin with `prefix`. */
export class TemporaryFiles {
  constructor(
    private readonly folder: string,
    private readonly prefix = "",
  ) {}

  temporaryName(): string {
    const name = `${this.prefix}${hostname()}-${processMark()}-${randomHex(12)}`;
    return join(this.folder, name);
  }

  async removeStale(): Promise<void> {
    const names = await readdir(this.folder).catch(() => []);
    for (const name of names)
      if (name.startsWith(this.prefix) && isAlive(name) === false)
        await rm(join(this.folder, name), { force: true });
  }
}

/** Returns the files in a folder, with their states. */
export async function filesIn(
  store: Store,
  folder: string,
): Promise<Map<string, Stored>> {
  const files = new Map<string, Stored>();
  for (const [name, listed] of await store.list(folder)) {
    const found = listed ?? (await store.head(`${folder}/${name}`));
    if (found?.isFile) files.set(name, found);
  }
  return files;
}

/** Returns the SHA-256 of a file in hexadecimal digits; null: there is none. @throws AbortedError */
export async function hashOf(
  store: Store,
  name: string,
  signal?: AbortSignal,
): Promise<string | null> {
  const found = await store.head(name);
  if (!found) return null;
  const hash = createHash("sha256");
  const { bytes: end, etag } = found;
  try {
    await store.readRange(
      name,
      { start: 0, end, etag },
      async (bytes) => {
        hash.update(bytes);
      },
      signal,
    );
  } catch (error) {
    if (error instanceof InputMissingError) return null;
    throw error;
  }
  return hash.digest("hex");
}

/** Puts content in place of what has the name. Without folders the name has nothing for a moment. */
export async function replace(
  store: Store,
  name: string,
  content: Uint8Array | string,
): Promise<void> {
  if (hasFolders(store)) return store.replace(name, content);
  await store.remove(name);
  // If another process was first, its object stays.
  const isNew = await store.putIfAbsent(name, content);
  if (!isNew && typeof content === "string") await rm(content, { force: true });
}
