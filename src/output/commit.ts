import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fchmodSync,
  fsync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  type Stats,
  statfsSync,
  statSync,
  unlinkSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import {
  IoError,
  OutputExistsError,
  PermissionError,
  UsageError,
} from "../errors.js";
import { openDirect } from "../io/direct.js";
import type { ByteStream } from "./standard-output.js";
import { WriteBack } from "./write-back.js";

/** Temporary files that exist now, for a process that must end at once. */
const pendingPaths = new Set<string>();

/** Removes every temporary file of this process. For the second Ctrl-C; runs that end by themselves clean up. */
export function removePendingOutputs(): void {
  for (const path of pendingPaths) rmSync(path, { force: true });
}

/** Where a run's bytes go: a file to write, or one to compare them with. */
export interface OutputTarget {
  readonly fd: number;
  readonly compare: boolean;
  /** For writes past the page cache (io/direct.ts); -1 where there are none. */
  readonly direct: number;
  /** Where bytes leave in order: the part of them that is in memory (io/put-bytes.ts), and their way out. */
  readonly ring?: SharedArrayBuffer | null;
  readonly stream?: ByteStream;
  /** Such an output has no room for bytes before `end` until others have left; fulfilled too once it is stopped. */
  room?(end: number): Promise<void>;
  /** Puts zeros. */
  clear?(start: number, end: number): void;
  /** Says that all bytes before `end` have been put. */
  complete?(end: number): void;
  /** Gives up: nothing more leaves. */
  stop?(): void;
  /**
   * Says that so many bytes more have been written. Now and then the disk is set to work on them while the run goes on,
   * so that little is left for the commit to wait for.
   */
  wrote(bytes: number): void;
}

/** The output while it is being written: a file beside its target that nobody else sees as the output. */
export interface PendingOutput extends OutputTarget {
  readonly temporaryPath: string;
  /** Where that is not what a writer gave it: the bytes that it has taken. */
  bytes?(): number;
  /** Makes it durable and gives it its name: all of it, or nothing. */
  commit(): Promise<void>;
  /** Removes it. Does nothing after a commit. */
  discard(): Promise<void>;
}

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
  { force, sync, direct: past = false }: PendingOptions,
): Promise<PendingOutput> {
  const directory = dirname(path);
  checkSpace(directory, path, bytes);
  const temporaryPath = join(
    directory,
    // Part of the name, so that people know whose it is; not all, so that a name of any length has room.
    `.${basename(path).slice(0, 40)}.${process.pid}-${randomBytes(6).toString("hex")}.tmp`,
  );
  const flags =
    constants.O_CREAT |
    constants.O_EXCL |
    constants.O_RDWR |
    constants.O_NOFOLLOW;
  const fd = outputCall(path, "could not be created", () =>
    openSync(temporaryPath, flags, 0o666),
  );
  pendingPaths.add(temporaryPath);
  const direct = past ? openDirect(temporaryPath) : -1;
  let open = true;
  const writeBack = new WriteBack(fd);
  const close = () => {
    if (!open) return;
    open = false;
    if (direct >= 0) closeSync(direct);
    closeSync(fd);
  };
  const output: PendingOutput = {
    fd,
    compare: false,
    direct,
    temporaryPath,
    wrote: (bytes) => {
      if (sync && direct < 0) writeBack.wrote(bytes);
    },
    async commit() {
      // After an fsync that failed nobody knows what is on the disk: it is not tried again, and the file is discarded.
      try {
        await writeBack.finished();
        if (sync) await promisify(fsync)(fd);
      } catch (error) {
        throw ioError(path, "could not be made durable", error);
      }
      outputCall(path, "could not be made durable", close);
      const directoryFd = sync ? openDirectory(directory) : null;
      try {
        outputCall(path, "could not be given its name", () =>
          publish(temporaryPath, path, force),
        );
        pendingPaths.delete(temporaryPath);
        if (directoryFd !== null) syncDirectory(directoryFd, path);
      } finally {
        if (directoryFd !== null) closeSync(directoryFd);
      }
    },
    async discard() {
      await writeBack.finished().catch(() => {});
      // What made the run fail is what counts: trouble in clearing up after it is not told instead.
      try {
        close();
      } catch {}
      if (!pendingPaths.delete(temporaryPath)) return;
      try {
        rmSync(temporaryPath, { force: true });
      } catch {}
    },
  };
  try {
    outputCall(path, "could not be sized", () => ftruncateSync(fd, bytes));
    // What replaces a file is no more readable than that was.
    const old = force ? statOrNull(path) : null;
    if (old)
      outputCall(path, "could not be given its mode", () =>
        fchmodSync(fd, old.mode & 0o777),
      );
  } catch (error) {
    await output.discard();
    throw error;
  }
  return output;
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

function checkSpace(directory: string, path: string, bytes: number): void {
  const { bavail, bsize } = outputCall(
    path,
    "its directory could not be examined",
    () => statfsSync(directory),
  );
  const free = bavail * bsize;
  if (free < bytes)
    throw new IoError(
      path,
      `expected ${bytes} bytes free in ${directory}, found ${free}`,
    );
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

function outputCall<T>(path: string, failure: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw ioError(path, failure, error);
  }
}

/** An error of the system on the output, as one of ours. */
export function ioError(path: string, failure: string, cause: unknown): Error {
  const { code } = cause as NodeJS.ErrnoException;
  if (typeof code !== "string" || code.startsWith("ERR_"))
    return cause as Error;
  if (code === "EACCES" || code === "EPERM" || code === "EROFS")
    return new PermissionError(path, `${failure}: ${code}`, { cause });
  const reason =
    code === "ENOSPC" || code === "EDQUOT"
      ? `${code}, no space left on its device`
      : code === "ENOENT"
        ? `${code}, its directory does not exist`
        : code === "ENOTDIR"
          ? `${code}, a part of its path is no directory`
          : code;
  return new IoError(path, `${failure}: ${reason}`, { cause });
}
