import { isS3 } from "../io/location.js";
import { PosixStore } from "./posix-store.js";
import type { Store, StoreAccess } from "./store.js";

/**
 * Opens the store of a location.
 * @param temporary local stores: directory for temporary files, on the same file system as the final files
 * @throws UsageError; ConfigurationError if the package for S3 is not installed
 */
export async function openStore(
  location: string,
  access: StoreAccess = {},
  temporary: string = location,
): Promise<Store> {
  if (!isS3(location)) return new PosixStore(temporary);
  const { openS3Store } = await import("./s3/s3-store.js");
  return openS3Store(access);
}
