/** What stands under a name. */
export interface Stored {
  isFile: boolean;
  isFolder: boolean;
  bytes: number;
  /** Milliseconds since 1970. */
  modified: number;
}

/**
 * Where datasets are kept: names with slashes, files that appear whole and never change. What is put is durable once the
 * promise is fulfilled.
 */
export interface Store {
  /** null: nothing. Links are not followed. */
  stat(name: string): Promise<Stored | null>;
  /** Names inside a folder, those with that start, in order; none where there is no folder. */
  list(folder: string, start?: string): Promise<string[]>;
  /** The files inside a folder, by name. */
  files(folder: string): Promise<Map<string, Stored>>;
  /** All of a file, or bytes `[start, end)`; null: there is none. */
  read(name: string, start?: number, end?: number): Promise<Uint8Array | null>;
  /**
   * SHA-256 of a file, in hexadecimal digits; null: there is none.
   * @throws AbortedError
   */
  hash(name: string, signal?: AbortSignal): Promise<string | null>;
  /** false: something has the name already, and keeps it. @throws MissingFolder */
  putIfAbsent(name: string, bytes: Uint8Array): Promise<boolean>;
  /**
   * Where a file is so large that it is sent otherwise than by putIfAbsent: tries that once under a name that has the bytes
   * `there`, which must stay.
   * @throws ConfigurationError where the store would have replaced them
   */
  checkUploads?(file: string, name: string, there: Uint8Array): Promise<void>;
  /** The same for a file of this machine, durable before: true uses it up, false leaves it. @throws MissingFolder */
  publish(file: string, name: string): Promise<boolean>;
  /**
   * Puts bytes, or a file of this machine that is durable already, in the place of what has the name, if anything has. A
   * file is used up. Readers see the old file or the new one; where files cannot be renamed, nothing for a moment.
   * @throws MissingFolder
   */
  replace(name: string, content: Uint8Array | string): Promise<void>;
  /** Removes a file or a folder with all in it; nothing is fine too. Links are removed, not followed. */
  remove(name: string): Promise<void>;
  /** A path of this machine for a file that is to be published: a name that nobody else has. */
  temporaryName(): string;
  /** Removes temporary files of processes of this machine that have died. */
  removeStale(): Promise<void>;
}

/** Folders are made by `makeFolder` alone: whoever comes too late to a folder that has gone meets its absence. */
export interface FolderStore extends Store {
  makeFolder(name: string): Promise<void>;
  /** Gives a folder another name that nothing has. false: there is no such folder, or something has the name. */
  rename(from: string, to: string): Promise<boolean>;
}

export function hasFolders(store: Store): store is FolderStore {
  return "rename" in store;
}

/** The folder that a file was to be put in has gone: the run was published or cleared away by another process. */
export class MissingFolder extends Error {}
