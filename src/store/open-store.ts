import { isS3 } from "./location.js";
import { PosixStore } from "./posix-store.js";
import type { S3Access } from "./s3-options.js";
import type { Store } from "./store.js";

/**
 * The store that a location is in.
 * @param temporary on this machine: the folder for what is unfinished, on the file system of what it will be
 * @throws UsageError; ConfigurationError where the package that S3 takes is not there
 */
export async function openStore(
  location: string,
  options: S3Access = {},
  temporary: string = location,
): Promise<Store> {
  if (!isS3(location)) return new PosixStore(temporary);
  const { openS3Store } = await import("./s3/s3-store.js");
  return openS3Store(options);
}
