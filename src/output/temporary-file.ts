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
  statfsSync,
  unlinkSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { IoError } from "../errors.js";
import { openDirect } from "../io/put-bytes.js";
import { isAlive, processMark, randomHex } from "../io/temporary-names.js";
import { ioError, outputCall, systemErrorOf } from "../system-error.js";
import type { OutputTarget } from "./output-target.js";
import { lstatOrNull } from "./written-files.js";

/** Temporary files that exist now, for a process that must end at once. */
const pendingPaths = new Set<string>();

/** Removes every temporary file of this process. For the second Ctrl-C; runs that end by themselves clean up. */
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

/** A file that nobody else sees as an output. */
export interface TemporaryFile extends OutputTarget {
  readonly temporaryPath: string;
  /** Makes it durable, and closes it as `close` does. */
  finish(): Promise<void>;
  /** Closes it before it is published. @throws IoError where its name is of another file, or of a link, by now */
  close(): void;
  /** Another name is its own now: it is not removed any more. */
  published(): void;
  /** Removes it, unless it has been published; waits for writes that are under way. */
  discard(): Promise<void>;
  /** Removes it, unless it has been published. */
  remove(): void;
}

/** A new name beside `path`, which tells others the output and the process. */
export function temporaryBeside(path: string): string {
  const name = `${startOfNames(path)}${processMark()}-${randomHex(12)}.tmp`;
  return join(dirname(path), name);
}

/** Removes temporary files of an output that processes of this machine have left when they died. */
export function removeStale(path: string): void {
  const start = startOfNames(path);
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

/** Part of the output's name tells people whose a file is, and its hash programs; all of it might leave no room. */
function startOfNames(path: string): string {
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
  checkSpace(dirname(temporaryPath), path, bytes);
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
  const file: TemporaryFile = {
    fd,
    compare: false,
    direct,
    temporaryPath,
    wrote: (bytes) => {
      if (sync && direct < 0) writeBack.wrote(bytes);
    },
    async finish() {
      // After an fsync that failed nobody knows what is on the disk: it is not tried again, and the file is discarded.
      try {
        await writeBack.finished();
        if (sync) await promisify(fsync)(fd);
      } catch (error) {
        throw ioError(path, "could not be written to disk", error);
      }
      file.close();
    },
    close() {
      outputCall(path, "could not be written to disk", () => {
        // While it is open its inode has no other file.
        const own = fstatSync(fd, { bigint: true });
        const named = lstatOrNull(temporaryPath);
        if (named?.dev !== own.dev || named.ino !== own.ino)
          throw new IoError(
            path,
            `is not written, because another process replaced its temporary file ${temporaryPath}`,
          );
        close();
      });
    },
    published: () => {
      pendingPaths.delete(temporaryPath);
    },
    async discard() {
      await writeBack.finished().catch(() => {});
      file.remove();
    },
    remove() {
      // The error that made the run fail is the one to report, not trouble in clearing up after it.
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
    // Not to 0, which it has: ext4 takes that for a file that is replaced, and has close wait for the disk.
    if (bytes > 0)
      outputCall(path, "could not be resized", () => ftruncateSync(fd, bytes));
    if (mode !== undefined)
      outputCall(path, "could not get its permissions", () =>
        fchmodSync(fd, mode & 0o777),
      );
  } catch (error) {
    file.remove();
    throw error;
  }
  return file;
}

function checkSpace(directory: string, path: string, bytes: number): void {
  const { bavail, bsize } = outputCall(
    path,
    "its directory could not be examined",
    () => statfsSync(directory),
  );
  const free = bavail * bsize;
  if (free < bytes)
    throw Object.assign(
      new IoError(
        path,
        `not enough disk space in ${directory}: ${bytes} bytes are needed, ${free} are free`,
        { cause: systemErrorOf({ code: "ENOSPC" }) },
      ),
      { room: free },
    );
}

/** Bytes after which the disk is given work: of a part of 64 MiB it has some while the rest is computed. */
const STEP_BYTES = 16 * 2 ** 20;

/**
 * Sets the disk to work on a file while it is still being written: an fdatasync in the background, one at a time.
 * Without it the final fsync waits for everything: 0.4 s of 1.1 s for 880 MB, measured.
 */
export class WriteBack {
  #unsynced = 0;
  #running: Promise<void> | null = null;
  #error: unknown;

  constructor(private readonly fd: number) {}

  /** @throws what the disk reported of earlier bytes: no use in writing on */
  wrote(bytes: number): void {
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

  /** Waits for what is under way. @throws the first error that the disk reported */
  async finished(): Promise<void> {
    await this.#running;
    if (this.#error) throw this.#error;
  }
}
