import { IoError, PermissionError } from "../errors.js";

/** A call of the system on the output: its errors are ours. */
export function outputCall<T>(path: string, failure: string, call: () => T): T {
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
