import { createHash } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { InputMissingError } from "../errors.js";
import { isAlive, processMark, randomHex } from "../io/temporary-names.js";
import type { OptionsOf } from "../options/options-table.js";

/** Options for s3:// locations. Credentials come from the default provider chain of the AWS SDK. */
export type S3Options = Pick<OptionsOf<"status">, "endpoint" | "region">;

/** Options of a store. */
export interface StoreAccess extends S3Options {
  /** Signal that aborts requests to S3. */
  signal?: AbortSignal | undefined;
  /** Called after each answer of the store. */
  alive?: (() => void) | undefined;
}

/** State of a file, directory or object. */
export interface Stored {
  isFile: boolean;
  isFolder: boolean;
  bytes: number;
  /** Modification time in milliseconds since 1970. */
  modified: number;
  /** ETag of an object, with its quotes. */
  etag?: string;
}

/** Bytes `[start, end)` of a file; with `etag`, only of the object with that ETag. */
export interface StoredRange {
  start: number;
  end: number;
  etag?: string | undefined;
}

/** Receives consecutive bytes; the next call waits until the promise of this one resolves. */
export type Sink = (bytes: Uint8Array, position: number) => Promise<void>;

/**
 * Storage of datasets: files with paths as names, which appear whole and are never modified. Every implementation passes the
 * tests in test/storage.
 */
export interface Store {
  /** Returns the state of a file, or null if it does not exist. Does not follow links. */
  head(name: string): Promise<Stored | null>;
  /**
   * Lists the names in a directory that begin with `start`, sorted; none if the directory does not exist. States are null if
   * the listing does not include them.
   */
  list(folder: string, start?: string): Promise<Map<string, Stored | null>>;
  /** Returns all bytes of a small file, or null if it does not exist. */
  read(name: string): Promise<Uint8Array | null>;
  /**
   * Passes the bytes of a range to `sink`, up to the end of the file.
   * @throws InputMissingError; IoError with a ReplacedError as its cause if the ETag differs; AbortedError
   */
  readRange(
    name: string,
    range: StoredRange,
    sink: Sink,
    signal?: AbortSignal,
  ): Promise<void>;
  /**
   * Stores bytes, or the local file at a path, under a name that does not exist yet. The stored file is durable when the
   * promise resolves; the local file is removed if it was stored.
   * @returns false if the name exists; nothing is changed then
   * @throws MissingFolderError
   */
  putIfAbsent(name: string, content: Uint8Array | string): Promise<boolean>;
  /** Removes a file if it exists; of directories also a directory and everything in it. Links are not followed. */
  remove(name: string): Promise<void>;
  /** Returns a new local path for a file that `putIfAbsent` will store. */
  temporaryName(): string;
  /** Removes temporary files of dead processes of this machine. */
  removeStale(): Promise<void>;
}

/** Store with directories that can be renamed. Only `makeFolder` creates them, so that a late process fails to write. */
export interface FolderStore extends Store {
  makeFolder(name: string): Promise<void>;
  /** Renames a directory. Returns false if it does not exist or the new name exists. */
  rename(from: string, to: string): Promise<boolean>;
  /** Replaces a file atomically: readers see the old file or the new one. */
  replace(name: string, content: Uint8Array | string): Promise<void>;
}

/** Store without directories and renames; prefixes that end with a slash serve as directories. */
export interface ObjectStore extends Store {
  /** Yields all objects whose names begin with `start`. */
  listAll(start: string): AsyncIterable<[name: string, found: Stored]>;
  /** Yields unfinished multipart uploads below a prefix; the store keeps their bytes until they are aborted. */
  uploadsIn(folder: string): AsyncIterable<StoredUpload>;
  /**
   * Tests, if `file` needs a multipart upload, whether such an upload fails to replace the object `existing`.
   * @param bytes content of `existing`
   * @throws ConfigurationError if it replaces the object
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

/** Directory of a new file does not exist, because another process published or removed the run. */
export class MissingFolderError extends Error {}

/** Cause of an error for an object that was replaced. */
export class ReplacedError extends Error {}

/** Temporary files of a store, in a local directory. Their names begin with `prefix`. */
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

/** Returns the files in a directory, with their states. */
export async function filesIn(
  store: Store,
  folder: string,
): Promise<Map<string, Stored>> {
  const files = new Map<string, Stored>();
  for (const [name, listed] of await store.list(folder)) {
    const state = listed ?? (await store.head(`${folder}/${name}`));
    if (state?.isFile) files.set(name, state);
  }
  return files;
}

/** Returns the SHA-256 of a file in hexadecimal digits, or null if it does not exist. @throws AbortedError */
export async function hashOf(
  store: Store,
  name: string,
  signal?: AbortSignal,
): Promise<string | null> {
  const state = await store.head(name);
  if (!state) return null;
  const hash = createHash("sha256");
  const update = async (bytes: Uint8Array) => void hash.update(bytes);
  const range = { start: 0, end: state.bytes, etag: state.etag };
  try {
    await store.readRange(name, range, update, signal);
  } catch (error) {
    if (error instanceof InputMissingError) return null;
    throw error;
  }
  return hash.digest("hex");
}

/** Replaces a file. In an object store, the name does not exist for a moment. */
export async function replace(
  store: Store,
  name: string,
  content: Uint8Array | string,
): Promise<void> {
  if (hasFolders(store)) return store.replace(name, content);
  await store.remove(name);
  // If another process was first, its object is kept.
  const isNew = await store.putIfAbsent(name, content);
  if (!isNew && typeof content === "string") await rm(content, { force: true });
}
