import { closeSync, openSync, statfsSync } from "node:fs";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";
import { getSystemErrorMap } from "node:util";
import {
  ConfigurationError,
  InputMissingError,
  IoError,
  PermissionError,
  SoftjacError,
} from "../errors.js";

// The only place that says what an error of the operating system means. Such an error never means that an input is damaged.

/** System errors that have an answer of their own. */
const KINDS: Record<string, "missing" | "permission" | "full"> = {
  ENOENT: "missing",
  ENOTDIR: "missing",
  EACCES: "permission",
  EPERM: "permission",
  EROFS: "permission",
  ENOSPC: "full",
  EDQUOT: "full",
};

/** What the user can do; the other errors get the system's own description. */
const ADVICE: Record<string, string> = {
  ENOENT: "its directory does not exist",
  ENOTDIR: "a component of its path is not a directory",
  ENOSPC: "no space left on its device",
  EDQUOT: "the disk quota is used up",
  EFBIG:
    "the file would exceed the size limit (ulimit -f, or the file system's)",
  EMFILE: "too many open files; raise the limit with ulimit -n",
  ENFILE:
    "the system has too many open files; close other programs or raise fs.file-max",
  ENOMEM: "not enough memory; close other programs or raise the memory limit",
  EAGAIN:
    "the system is short of threads or memory; raise the limit with ulimit -u or try again later",
  EIO: "the device failed; check the disk or the network file system",
  ESTALE: "the network file system replaced the file; run the command again",
  ETIMEDOUT:
    "the network file system did not answer; run the command again later",
  EINTR: "the call was interrupted; run the command again",
};

/** Names by number. Two numbers have two names each: the name that Node uses comes last. */
const NAMES = new Map(
  Object.entries({
    ...constants.errno,
    EAGAIN: constants.errno.EAGAIN,
    ENOTSUP: constants.errno.ENOTSUP,
  }).map(([name, number]) => [number, name]),
);

/** Returns the name of a system error, such as `EMFILE`; null for every other error. */
export function systemErrorName(error: unknown): string | null {
  const {
    code,
    errno = 0,
    message,
  } = (error ?? {}) as Partial<NodeJS.ErrnoException>;
  if (typeof code !== "string") return null;
  // A thread that cannot start: the reason is in the message alone.
  if (code === "ERR_WORKER_INIT_FAILED")
    return /\bE[A-Z0-9]+\b(?!_)/.exec(message ?? "")?.[0] ?? "EAGAIN";
  // Node has no name for some errors, ESTALE and EDQUOT among them.
  if (code.startsWith("Unknown system error"))
    return NAMES.get(Math.abs(errno)) ?? "EIO";
  return /^(?!ERR_)(?:E[A-Z0-9_]+|UNKNOWN)$/.test(code) ? code : null;
}

/** Returns the kind of a system error; undefined for every other error. */
export function systemErrorKind(error: unknown) {
  return KINDS[systemErrorName(error) ?? ""];
}

/** Whether an error, or a cause of it, says that a disk or a quota is full. */
export function isFullDisk(error: unknown): boolean {
  return (
    error instanceof Error &&
    (systemErrorKind(error) === "full" || isFullDisk(error.cause))
  );
}

/** Whether the system refused something: the same call may succeed later, or on another machine. */
export function isSystemRefusal(error: unknown): error is IoError {
  return error instanceof IoError && systemErrorName(error.cause) !== null;
}

/** Returns a system error on an output or on a temporary file as one of softjac's errors; every other error as it is. */
export function ioError(path: string, failure: string, cause: unknown): Error {
  const own = packageFileError(cause);
  if (own) return own;
  const name = systemErrorName(cause);
  if (name === null) return cause as Error;
  return systemErrorKind(cause) === "permission"
    ? new PermissionError(path, `${failure}: ${name}`, { cause })
    : new IoError(path, `${failure}: ${described(name)}`, { cause });
}

/** Returns a system error on an input as one of softjac's errors; every other error as it is. */
export function inputError(
  path: string,
  failure: string,
  cause: unknown,
): Error {
  const kind = packageFileError(cause) ? null : systemErrorKind(cause);
  if (kind === "missing") return new InputMissingError(path, { cause });
  return kind === "permission"
    ? new PermissionError(path, "permission denied", { cause })
    : ioError(path, failure, cause);
}

/** Calls the system for an output. @throws as ioError says */
export const outputCall = calling(ioError);

/** Calls the system for an input. @throws as inputError says */
export const inputCall = calling(inputError);

function calling(errorOf: typeof ioError) {
  return <T>(path: string, failure: string, call: () => T): T => {
    try {
      return call();
    } catch (error) {
      throw errorOf(path, failure, error);
    }
  };
}

/** @throws IoError if the file system of a directory has no space for so many bytes */
export function checkSpace(
  path: string,
  directory: string,
  bytes: number,
): void {
  const failure = "its directory could not be examined";
  const { bavail, bsize } = outputCall(path, failure, () =>
    statfsSync(directory),
  );
  const free = bavail * bsize;
  if (free >= bytes) return;
  const message = `not enough disk space in ${directory}: ${bytes} bytes are needed, ${free} are free`;
  const cause = systemErrorOf({ code: "ENOSPC" });
  throw Object.assign(new IoError(path, message, { cause }), { room: free });
}

/** Returns an error that no other place has named as one of softjac's errors, if it is the system's; else as it is. */
export function knownError(error: unknown): unknown {
  if (error instanceof SoftjacError) return error;
  const { path } = (error ?? {}) as NodeJS.ErrnoException;
  return ioError(path ?? "softjac", "could not be used", error);
}

/** The part of a system error that threads send to each other. */
export interface SystemFailure {
  code: string;
  path?: string | undefined;
}

/** Returns a system error, or the absence of a module of the package, as data; null for every other error. */
export function systemFailure(error: unknown): SystemFailure | null {
  const { code, message, path } = (error ?? {}) as NodeJS.ErrnoException;
  if (code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND")
    return { code: "ENOENT", path: /'([^']+)'/.exec(message)?.[1] };
  const name = systemErrorName(error);
  return name === null ? null : { code: name, path };
}

/** Returns the error that another thread has sent as data. */
export function systemErrorOf(failure: SystemFailure): Error {
  return Object.assign(new Error(failure.code), failure);
}

const PACKAGE_DIRECTORY = fileURLToPath(new URL("./", import.meta.url));

/**
 * Opens a WebAssembly file of the built package, because the library that loads it would end the process without it.
 * @throws the system's error
 */
export function checkOwnFile(name: string): void {
  // Sources load it from the library's own folder.
  if (/\.[cm]?js$/.test(import.meta.url))
    closeSync(openSync(`${PACKAGE_DIRECTORY}${name}`, "r"));
}

/**
 * Returns the error for a file of the package that cannot be read; null where a system error is not about one. A missing
 * file is no internal error: the user can put it back, and another machine may have it.
 */
function packageFileError(cause: unknown): Error | null {
  const { code = "", path } = systemFailure(cause) ?? {};
  if (!path?.startsWith(PACKAGE_DIRECTORY)) return null;
  return code === "ENOENT"
    ? new ConfigurationError(
        `${path}: a file of softjac is missing; reinstall the package`,
        { cause },
      )
    : new IoError(path, `could not be read: ${described(code)}`, { cause });
}

function described(name: string): string {
  const number = (constants.errno as Record<string, number>)[name] ?? 0;
  const text = ADVICE[name] ?? getSystemErrorMap().get(-number)?.[1];
  return text ? `${name}, ${text}` : name;
}
