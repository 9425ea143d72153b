import type { S3Client } from "@aws-sdk/client-s3";
import { ConfigurationError } from "../../errors.js";
import { checkEndpoint, type S3Options } from "../s3-options.js";

export type Sdk = typeof import("@aws-sdk/client-s3");

/** The SDK's package, which only those have installed who work with S3. @throws ConfigurationError */
export async function loadSdk(): Promise<Sdk> {
  try {
    return await import("@aws-sdk/client-s3");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND")
      throw cause;
    throw new ConfigurationError(
      "s3:// paths need the package @aws-sdk/client-s3: npm install @aws-sdk/client-s3@3",
      { cause },
    );
  }
}

/** Connections at once. */
const SOCKETS = 64;
const CONNECT_MS = 10_000;

/** Where nobody names a region: servers other than AWS take any, and AWS says where a bucket is. */
const ANY_REGION = "us-east-1";

/**
 * The SDK's client. Which requests are made again, and how long one may take, is said in requests.ts: the client makes
 * each once.
 * @throws UsageError
 */
export async function openClient(
  { S3Client }: Sdk,
  { endpoint, region }: S3Options,
): Promise<S3Client> {
  checkEndpoint(endpoint);
  const open = (region: string | undefined) =>
    new S3Client({
      ...(endpoint && { endpoint, forcePathStyle: true }),
      ...(region && { region }),
      maxAttempts: 1,
      followRegionRedirects: true,
      requestHandler: {
        connectionTimeout: CONNECT_MS,
        httpAgent: { maxSockets: SOCKETS },
        httpsAgent: { maxSockets: SOCKETS },
      },
    });
  const client = open(region);
  try {
    await client.config.region();
    return client;
  } catch {
    return open(ANY_REGION);
  }
}
