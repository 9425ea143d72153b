import { resolve } from "node:path";
import { UsageError } from "../errors.js";

/** An object of S3, or what keys start with. */
export interface S3Place {
  bucket: string;
  /** Without a slash at either end; empty: the whole bucket. */
  key: string;
}

/** Whether a location is on S3; every other is a path of this machine. */
export function isS3(location: string): boolean {
  return /^s3:\/\//i.test(location);
}

/**
 * Rejects a URL whose scheme is not s3://, which would otherwise be taken for a path and reported as missing. The message
 * names only the scheme, since a URL may contain a signature.
 * @param option the option that has the location
 * @throws UsageError
 */
export function assertSupportedScheme(
  location: string,
  option: "input" | "output",
): void {
  // At least two letters: C:// is a drive of Windows.
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
 * A location as names start with it: an absolute path, or s3://bucket/prefix.
 * @throws UsageError, also for a URL of another scheme
 */
export function resolveLocation(location: string): string {
  assertSupportedScheme(location, "output");
  if (!isS3(location)) return resolve(location);
  const { bucket, key } = s3Place(location);
  return s3Name(bucket, key);
}

/** @throws UsageError for what is no bucket and key */
export function s3Place(location: string): S3Place {
  const [, bucket = "", rest = ""] =
    /^s3:\/\/([^/]*)\/?(.*)$/is.exec(location) ?? [];
  // What is not shown may be a secret.
  if (!/^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/i.test(bucket))
    throw new UsageError(
      "s3://: the bucket name is missing or invalid; write s3://bucket/prefix/",
    );
  const key = rest.replace(/\/$/, "");
  const isOdd = (part: string) => part === "" || part === "." || part === "..";
  if (key !== "" && key.split("/").some(isOdd))
    throw new UsageError(
      `s3://: expected a key without empty segments, . and .., found ${JSON.stringify(rest)}`,
    );
  return { bucket, key };
}

export function s3Name(bucket: string, key: string): string {
  return key === "" ? `s3://${bucket}` : `s3://${bucket}/${key}`;
}
