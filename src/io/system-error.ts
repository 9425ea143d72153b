import { closeSync, openSync, readFileSync, statfsSync } from "node:fs";
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

// The only module that interprets errors of the operating system. They never mean that an input is damaged.

/** System errors that are handled specially. */
const KINDS: Record<string, "missing" | "permission" | "full"> = {
  ENOENT: "missing",
  ENOTDIR: "missing",
  EACCES: "permission",
  EPERM: "permission",
  EROFS: "permission",
  ENOSPC: "full",
  EDQUOT: "full",
};

/** Advice for the user; other errors get the system's description. */
const ADVICE: Record<string, string> = {
  ENOENT: "its directory does not exist; create it first",
  ENOTDIR: "a component of its path is not a directory",
  ENOSPC: "no space left on its device",
  EDQUOT: "the disk quota is used up",
  EFBIG:
    "the file would exceed the size limit (ulimit -f, or the file system's)",
  EMFILE: "too many open files; raise the limit with ulimit -n",
  ENFILE:
    "the system has too many open files; close other programs or raise fs.file-max",
  ENOMEM:
    "not enough memory or address space; close other programs or raise the limit (ulimit -v)",
  EAGAIN:
    "the system is short of threads or memory; raise the limit with ulimit -u or try again later",
  EIO: "the device failed; check the disk or the network file system",
  ESTALE: "the network file system replaced the file; run the command again",
  ETIMEDOUT:
    "the network file system did not answer; run the command again later",
  EINTR: "the call was interrupted; run the command again",
};

/** Names by errno. Two numbers have two names each; the later entry, which Node uses, wins. */
const NAMES = new Map(
  Object.entries({
    ...constants.errno,
    EAGAIN: constants.errno.EAGAIN,
    ENOTSUP: constants.errno.ENOTSUP,
  }).map(([name, number]) => [number, name]),
);

/** Returns the name of a system error, such as `EMFILE`; null for every other error. */
export function systemErrorName(error: unknown): string | null {
  const thrown = (error ?? {}) as Partial<NodeJS.ErrnoException>;
  const { code, errno = 0, message } = thrown;
  if (typeof code !== "string") return null;
  // A thread could not start; only the message contains the reason.
  if (code === "ERR_WORKER_INIT_FAILED")
    return /\bE[A-Z0-9]+\b(?!_)/.exec(message ?? "")?.[0] ?? "EAGAIN";
  // Node has no name for some errors, such as ESTALE and EDQUOT.
  if (code.startsWith("Unknown system error"))
    return NAMES.get(Math.abs(errno)) ?? "EIO";
  return /^(?!ERR_)(?:E[A-Z0-9_]+|UNKNOWN)$/.test(code) ? code : null;
}

/** Returns the kind of a system error; undefined for every other error. */
export function systemErrorKind(error: unknown) {
  return KINDS[systemErrorName(error) ?? ""];
}

/** Whether an error or one of its causes is a full disk or quota. */
export function isFullDisk(error: unknown): boolean {
  return (
    error instanceof Error &&
    (systemErrorKind(error) === "full" || isFullDisk(error.cause))
  );
}

/** Whether the system refused a call, which may succeed later or on another machine. */
export function isSystemRefusal(error: unknown): error is IoError {
  return error instanceof IoError && systemErrorName(error.cause) !== null;
}

/** Converts a system error on an output or temporary file to a softjac error; returns other errors unchanged. */
export function ioError(path: string, failure: string, cause: unknown): Error {
  const packageError = packageFileError(cause);
  if (packageError) return packageError;
  const name = systemErrorName(cause);
  if (name === null) return cause as Error;
  return systemErrorKind(cause) === "permission"
    ? new PermissionError(path, `${failure}: ${name}`, { cause })
    : new IoError(path, `${failure}: ${described(name)}`, { cause });
}

/** Converts a system error on an input to a softjac error; returns other errors unchanged. */
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

/** Makes a system call on an output. @throws errors of `ioError` */
export const outputCall = calling(ioError);

/** Makes a system call on an input. @throws errors of `inputError` */
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

/** @throws IoError if the file system of `directory` has fewer than `bytes` free */
export function checkSpace(
  path: string,
  directory: string,
  bytes: number,
): void {
  const failure = "could not be created";
  const { bavail, bsize } = outputCall(path, failure, () =>
    statfsSync(directory),
  );
  const free = bavail * bsize;
  if (free >= bytes) return;
  const message = `not enough disk space in ${directory}: ${bytes} bytes are needed, ${free} are free`;
  const cause = systemErrorOf({ code: "ENOSPC" });
  throw new IoError(path, message, { cause });
}

/** Converts a system error of an unknown call to a softjac error; returns other errors unchanged. */
export function knownError(error: unknown): unknown {
  if (error instanceof SoftjacError) return error;
  const { path } = (error ?? {}) as NodeJS.ErrnoException;
  return ioError(path ?? "softjac", "could not be used", error);
}

/** A system error as data, for messages between threads. */
export interface SystemFailure {
  code: string;
  path?: string | undefined;
}

/** Returns a system error or a missing module as data, null for other errors. */
export function systemFailure(error: unknown): SystemFailure | null {
  const { code, message, path } = (error ?? {}) as NodeJS.ErrnoException;
  if (code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND")
    return { code: "ENOENT", path: /'([^']+)'/.exec(message)?.[1] };
  const name = systemErrorName(error);
  return name === null ? null : { code: name, path };
}

/** Returns the error of a SystemFailure. */
export function systemErrorOf(failure: SystemFailure): Error {
  return Object.assign(new Error(failure.code), failure);
}

const PACKAGE_DIRECTORY = fileURLToPath(new URL("./", import.meta.url));

/**
 * Rejects a missing WebAssembly file of the built package. The library that loads it would end the process.
 * @throws the system's error
 */
export function checkPackageFile(name: string): void {
  // Only the build copies these files next to this module.
  if (/\.[cm]?js$/.test(import.meta.url))
    closeSync(openSync(`${PACKAGE_DIRECTORY}${name}`, "r"));
}

/** Address space that every WebAssembly memory reserves, whatever its size. */
export const WASM_ADDRESS_BYTES = 10 * 2 ** 30;

/** Returns the limit of the address space (`ulimit -v`) in bytes; systems without /proc have none. */
export function addressSpaceLimit(): number {
  let limits: string;
  try {
    limits = readFileSync("/proc/self/limits", "utf8");
  } catch {
    return Number.POSITIVE_INFINITY;
  }
  const [, limit] = /^Max address space +(\d+)/m.exec(limits) ?? [];
  return Number(limit ?? Number.POSITIVE_INFINITY);
}

/**
 * Rejects a limit of the address space that leaves no room for another WebAssembly memory. The libraries of codecs would end
 * the process.
 * @throws the system's error
 */
export function checkAddressSpace(): void {
  if (addressSpaceLimit() === Number.POSITIVE_INFINITY) return;
  try {
    new WebAssembly.Memory({ initial: 1, maximum: 1 });
  } catch {
    throw systemErrorOf({ code: "ENOMEM" });
  }
}

/**
 * Returns the error for a file of the package that cannot be read; null if the system error is about another file. A missing
 * file is a ConfigurationError, because reinstalling fixes it.
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
