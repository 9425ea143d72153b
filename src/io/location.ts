import { resolve } from "node:path";
import { UsageError } from "../errors.js";

/** Schemes of object stores; `src/storage/open-store.ts` opens them. */
const SCHEMES = ["s3"] as const;

/** Returns the scheme of a location in an object store; null for a local path. */
export function remoteScheme(
  location: string,
): (typeof SCHEMES)[number] | null {
  const start = location.toLowerCase();
  return SCHEMES.find((scheme) => start.startsWith(`${scheme}://`)) ?? null;
}

/** Whether a location is in an object store; all others are local paths. */
export function isRemote(location: string): boolean {
  return remoteScheme(location) !== null;
}

/**
 * Rejects a URL of another scheme, which would be treated as a path and reported as missing. The message shows only
 * the scheme, since a URL may contain a signature.
 * @throws UsageError
 */
export function assertSupportedScheme(
  location: string,
  option: "input" | "output",
): void {
  // A scheme has at least two letters: C:// is a Windows drive.
  const [, scheme] = /^([a-z][a-z0-9+.-]+):\/\//i.exec(location) ?? [];
  if (!scheme || isRemote(location)) return;
  const advice =
    scheme.toLowerCase() === "file"
      ? "use the path without file://"
      : option === "input"
        ? "download the files first, or use s3:// (with --endpoint for another store that has an S3 interface)"
        : "write to a directory and upload it, or use s3:// (with --endpoint for another store that has an S3 interface)";
  throw new UsageError(`${scheme}:// is not supported; ${advice}`, option);
}

/**
 * Returns an absolute path, or a URL such as s3://bucket/key without a trailing slash.
 * @throws UsageError, also for a URL of another scheme
 */
export function resolveLocation(location: string): string {
  assertSupportedScheme(location, "output");
  const scheme = remoteScheme(location);
  if (scheme === null) return resolve(location);
  const [, bucket = "", rest = ""] =
    /^\w+:\/\/([^/]*)\/?(.*)$/s.exec(location) ?? [];
  // The message does not show the bucket, which may be a misplaced secret.
  if (!/^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/i.test(bucket))
    throw new UsageError(
      `${scheme}://: the bucket name is missing or invalid; write ${scheme}://bucket/prefix/`,
    );
  const key = rest.replace(/\/$/, "");
  if (key === "") return `${scheme}://${bucket}`;
  if (/(?:^|\/)\.{0,2}(?:\/|$)/.test(key))
    throw new UsageError(
      `${scheme}://: expected a key without empty segments, . and .., found ${JSON.stringify(rest)}`,
    );
  return `${scheme}://${bucket}/${key}`;
}

/** The input path that means standard input. */
export const STANDARD_INPUT = "-";
