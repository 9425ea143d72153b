import { resolve } from "node:path";
import { UsageError } from "../errors.js";

/** Whether a location is on S3; all others are local paths. */
export function isS3(location: string): boolean {
  return /^s3:\/\//i.test(location);
}

/**
 * Rejects a URL of another scheme than s3://, which would be treated as a path and reported as missing. The message shows only
 * the scheme, since a URL may contain a signature.
 * @throws UsageError
 */
export function assertSupportedScheme(
  location: string,
  option: "input" | "output",
): void {
  // A scheme has at least two letters: C:// is a Windows drive.
  const [, scheme] = /^([a-z][a-z0-9+.-]+):\/\//i.exec(location) ?? [];
  if (!scheme || isS3(location)) return;
  const advice =
    scheme.toLowerCase() === "file"
      ? "use the path without file://"
      : option === "input"
        ? "download the files first, or use s3:// (with --endpoint for another store that has an S3 interface)"
        : "write to a directory and upload it, or use s3:// (with --endpoint for another store that has an S3 interface)";
  throw new UsageError(`${scheme}:// is not supported; ${advice}`, option);
}

/**
 * Returns an absolute path, or s3://bucket/key without a trailing slash.
 * @throws UsageError, also for a URL of another scheme
 */
export function resolveLocation(location: string): string {
  assertSupportedScheme(location, "output");
  if (!isS3(location)) return resolve(location);
  const [, bucket = "", rest = ""] =
    /^s3:\/\/([^/]*)\/?(.*)$/is.exec(location) ?? [];
  // The message does not show the bucket, which may be a misplaced secret.
  if (!/^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/i.test(bucket))
    throw new UsageError(
      "s3://: the bucket name is missing or invalid; write s3://bucket/prefix/",
    );
  const key = rest.replace(/\/$/, "");
  if (key === "") return `s3://${bucket}`;
  if (/(?:^|\/)\.{0,2}(?:\/|$)/.test(key))
    throw new UsageError(
      `s3://: expected a key without empty segments, . and .., found ${JSON.stringify(rest)}`,
    );
  return `s3://${bucket}/${key}`;
}

/** The input path that means standard input. */
export const STANDARD_INPUT = "-";
