import {
  closeSync,
  constants,
  fchmodSync,
  fdatasync,
  fstatSync,
  fsync,
  ftruncateSync,
  openSync,
  readdirSync,
  rmSync,
  unlinkSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { IoError } from "../errors.js";
import { checkSpace, ioError, outputCall } from "../io/system-error.js";
import { isAlive, processMark, randomHex } from "../io/temporary-names.js";
import { openDirect } from "../io/write-or-compare.js";
import { lstatOrNull } from "./written-files.js";

/** Temporary files of this process that exist now. */
const pendingPaths = new Set<string>();

/** Removes all temporary files of this process, before it exits at the second Ctrl-C. */
export function removePendingOutputs(): void {
  for (const path of pendingPaths) rmSync(path, { force: true });
}

interface TemporaryOptions {
  /** Whether `finish` syncs the file. */
  sync?: boolean;
  /** Whether to write past the page cache. */
  direct?: boolean;
  mode?: number | undefined;
}

export type TemporaryFile = ReturnType<typeof openTemporary>;

/** Returns a new path next to `path` that identifies the output and this process (see removeStale). */
export function temporaryPathFor(path: string): string {
  const name = `${namePrefix(path)}${processMark()}-${randomHex(12)}.tmp`;
  return join(dirname(path), name);
}

/** Removes temporary files of an output that dead processes of this machine left behind. */
export function removeStale(path: string): void {
  const start = namePrefix(path);
  const rest = /^([0-9a-f]{8}-\d+-\d+-\d+)-[0-9a-f]{12}\.tmp$/;
  const isStale = (name: string) => {
    const [, mark] = rest.exec(name.slice(start.length)) ?? [];
    return name.startsWith(start) && mark && isAlive(mark) === false;
  };
  // A stale file that cannot be removed is no reason to fail.
  try {
    for (const name of readdirSync(dirname(path)).filter(isStale)) {
      const stale = join(dirname(path), name);
      if (lstatOrNull(stale)?.isFile()) unlinkSync(stale);
    }
  } catch {}
}

/** Returns the start of the temporary names of an output: a readable part of its name, and a hash of the whole name. */
function namePrefix(path: string): string {
  const name = basename(path);
  // FNV-1a, since loading node:crypto or node:zlib takes longer than a small run.
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name))
    hash = Math.imul(hash ^ byte, 0x01000193);
  const sum = (hash >>> 0).toString(16).padStart(8, "0");
  return `.${[...name].slice(0, 40).join("")}.${sum}-`;
}

/**
 * Opens a new file of `bytes` at `temporaryPath`; messages are about `path`.
 * @throws IoError (no space, no such directory), PermissionError
 */
export function openTemporary(
  path: string,
  temporaryPath: string,
  bytes: number,
  { sync = false, direct: isDirect = false, mode }: TemporaryOptions,
) {
  checkSpace(path, dirname(temporaryPath), bytes);
  const { O_CREAT, O_EXCL, O_RDWR, O_NOFOLLOW } = constants;
  const flags = O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW;
  const fd = outputCall(path, "could not be created", () =>
    openSync(temporaryPath, flags, 0o666),
  );
  pendingPaths.add(temporaryPath);
  const direct = isDirect ? openDirect(temporaryPath) : -1;
  let open = true;
  const writeBack = new WriteBack(fd);
  const closeAll = () => {
    if (!open) return;
    open = false;
    if (direct >= 0) closeSync(direct);
    closeSync(fd);
  };
  /** Closes the file before it is published. @throws IoError if another file or a link has taken its name */
  const close = () =>
    outputCall(path, "could not be written to disk", () => {
      // The inode number cannot be reused while the file is open.
      const opened = fstatSync(fd, { bigint: true });
      const named = lstatOrNull(temporaryPath);
      if (named?.dev !== opened.dev || named.ino !== opened.ino)
        throw new IoError(
          path,
          `is not written, because another process replaced its temporary file ${temporaryPath}`,
        );
      closeAll();
    });
  /** Removes the file unless it is published. */
  const remove = () => {
    // Errors are ignored: the error that made the run fail is the one to report.
    try {
      closeAll();
    } catch {}
    if (!pendingPaths.delete(temporaryPath)) return;
    try {
      rmSync(temporaryPath, { force: true });
    } catch {}
  };
  try {
    // Truncating to 0 would make ext4 flush the file at close (auto_da_alloc).
    if (bytes > 0)
      outputCall(path, "could not be resized", () => ftruncateSync(fd, bytes));
    if (mode !== undefined)
      outputCall(path, "could not get its permissions", () =>
        fchmodSync(fd, mode & 0o777),
      );
  } catch (error) {
    remove();
    throw error;
  }
  return {
    fd,
    compare: false,
    direct,
    temporaryPath,
    close,
    remove,
    reportWritten: (bytes: number) => {
      if (sync && direct < 0) writeBack.reportWritten(bytes);
    },
    /** Makes the file durable, then closes it like `close`. */
    async finish() {
      // After a failed fsync the contents on disk are unknown, so it is not retried.
      try {
        await writeBack.finished();
        if (sync) await promisify(fsync)(fd);
      } catch (error) {
        throw ioError(path, "could not be written to disk", error);
      }
      close();
    },
    /** Declares that the file has its final name: it is no longer removed. */
    published: () => {
      pendingPaths.delete(temporaryPath);
    },
    /** Removes the file unless it is published, after writes in progress have ended. */
    async discard() {
      await writeBack.finished().catch(() => {});
      remove();
    },
  };
}

/** Bytes after which a sync starts, so that even a file of 64 MiB is partly synced while the rest is computed. */
const STEP_BYTES = 16 * 2 ** 20;

/**
 * Syncs a file while it is written: fdatasync in the background, one at a time. Without this the final fsync takes 0.4 s of
 * 1.1 s for 880 MB.
 */
export class WriteBack {
  #unsynced = 0;
  #running: Promise<void> | null = null;
  #error: unknown;

  constructor(private readonly fd: number) {}

  /** @throws the error of an earlier sync */
  reportWritten(bytes: number): void {
    if (this.#error) throw this.#error;
    this.#unsynced += bytes;
    if (this.#running || this.#unsynced < STEP_BYTES) return;
    this.#unsynced = 0;
    this.#running = new Promise((resolve) =>
      fdatasync(this.fd, (error) => {
        this.#error ??= error;
        this.#running = null;
        resolve();
      }),
    );
  }

  /** Waits for the sync in progress. @throws the first error of a sync */
  async finished(): Promise<void> {
    await this.#running;
    if (this.#error) throw this.#error;
  }
}
