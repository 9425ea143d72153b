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
import type { OutputTarget } from "./output-target.js";
import { lstatOrNull } from "./written-files.js";

/** Temporary files that exist now, for a process that must end at once. */
const pendingPaths = new Set<string>();

/** Removes every temporary file of this process, for the second Ctrl-C. */
export function removePendingOutputs(): void {
  for (const path of pendingPaths) rmSync(path, { force: true });
}

export interface TemporaryOptions {
  /** Finishing waits for the disk. */
  sync?: boolean;
  /** Most of it is written past the page cache. */
  direct?: boolean;
  mode?: number | undefined;
}

/** A file that is no output yet. */
export interface TemporaryFile extends OutputTarget {
  readonly temporaryPath: string;
  /** Makes it durable, and closes it as `close` does. */
  finish(): Promise<void>;
  /** Closes it before it is published. @throws IoError if its name belongs to another file, or to a link, by now */
  close(): void;
  /** Says that it has its final name, and must not be removed any more. */
  published(): void;
  /** Removes it unless it has been published, after the writes that are under way. */
  discard(): Promise<void>;
  /** Removes it unless it has been published. */
  remove(): void;
}

/** Returns a new name beside `path`, which tells others the output and the process. */
export function temporaryPathFor(path: string): string {
  const name = `${namePrefix(path)}${processMark()}-${randomHex(12)}.tmp`;
  return join(dirname(path), name);
}

/** Removes temporary files of an output that processes of this machine left when they died. */
export function removeStale(path: string): void {
  const start = namePrefix(path);
  const rest = /^([0-9a-f]{8}-\d+-\d+-\d+)-[0-9a-f]{12}\.tmp$/;
  const isStale = (name: string) => {
    const [, mark] = rest.exec(name.slice(start.length)) ?? [];
    return name.startsWith(start) && mark && isAlive(mark) === false;
  };
  // A stale file that cannot be found or removed does not keep the output from being written.
  try {
    for (const name of readdirSync(dirname(path)).filter(isStale)) {
      const stale = join(dirname(path), name);
      if (lstatOrNull(stale)?.isFile()) unlinkSync(stale);
    }
  } catch {}
}

/** Part of the output's name is for people, and its hash for programs: the whole name might be too long. */
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
  { sync = false, direct: past = false, mode }: TemporaryOptions,
): TemporaryFile {
  checkSpace(path, dirname(temporaryPath), bytes);
  const { O_CREAT, O_EXCL, O_RDWR, O_NOFOLLOW } = constants;
  const flags = O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW;
  const fd = outputCall(path, "could not be created", () =>
    openSync(temporaryPath, flags, 0o666),
  );
  pendingPaths.add(temporaryPath);
  const direct = past ? openDirect(temporaryPath) : -1;
  let open = true;
  const writeBack = new WriteBack(fd);
  const closeAll = () => {
    if (!open) return;
    open = false;
    if (direct >= 0) closeSync(direct);
    closeSync(fd);
  };
  const close = () =>
    outputCall(path, "could not be written to disk", () => {
      // While it is open its inode has no other file.
      const own = fstatSync(fd, { bigint: true });
      const named = lstatOrNull(temporaryPath);
      if (named?.dev !== own.dev || named.ino !== own.ino)
        throw new IoError(
          path,
          `is not written, because another process replaced its temporary file ${temporaryPath}`,
        );
      closeAll();
    });
  const remove = () => {
    // The error that made the run fail is the one to report, not one of removing the file.
    try {
      closeAll();
    } catch {}
    if (!pendingPaths.delete(temporaryPath)) return;
    try {
      rmSync(temporaryPath, { force: true });
    } catch {}
  };
  try {
    // An empty file is not truncated: ext4 takes that for a file that is replaced, and has close wait for the disk.
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
    reportWritten: (bytes) => {
      if (sync && direct < 0) writeBack.reportWritten(bytes);
    },
    async finish() {
      // After an fsync that failed nobody knows what is on the disk: it is not tried again, and the file is discarded.
      try {
        await writeBack.finished();
        if (sync) await promisify(fsync)(fd);
      } catch (error) {
        throw ioError(path, "could not be written to disk", error);
      }
      close();
    },
    published: () => {
      pendingPaths.delete(temporaryPath);
    },
    async discard() {
      await writeBack.finished().catch(() => {});
      remove();
    },
  };
}

/** Bytes after which the disk is given work: for a file of 64 MiB it has some while the rest is computed. */
const STEP_BYTES = 16 * 2 ** 20;

/**
 * Syncs a file while it is still being written: an fdatasync in the background, one at a time. Without it the final fsync
 * waits for everything: 0.4 s of 1.1 s for 880 MB, measured.
 */
export class WriteBack {
  #unsynced = 0;
  #running: Promise<void> | null = null;
  #error: unknown;

  constructor(private readonly fd: number) {}

  /** @throws the error that the disk reported for earlier bytes */
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

  /** Waits for the sync under way. @throws the first error that the disk reported */
  async finished(): Promise<void> {
    await this.#running;
    if (this.#error) throw this.#error;
  }
}
