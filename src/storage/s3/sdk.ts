import type { S3 } from "@aws-sdk/client-s3";
import { ConfigurationError, UsageError } from "../../errors.js";
import type { S3Options } from "../store.js";

const MAX_SOCKETS = 64;
const CONNECT_MS = 10_000;

/** Region if none is configured: AWS redirects to the region of the bucket, and other servers accept any. */
const DEFAULT_REGION = "us-east-1";

/** Opens a client of the SDK, which is an optional package. The client never retries; see requests.ts. */
export async function openClient({ endpoint, region }: S3Options): Promise<S3> {
  const { S3 } = await loadSdk();
  checkEndpoint(endpoint);
  const agent = { maxSockets: MAX_SOCKETS };
  const agents = { httpAgent: agent, httpsAgent: agent };
  const open = (region: string | undefined) =>
    new S3({
      ...(endpoint && { endpoint, forcePathStyle: true }),
      ...(region && { region }),
      maxAttempts: 1,
      followRegionRedirects: true,
      requestHandler: { connectionTimeout: CONNECT_MS, ...agents },
    });
  const client = open(region);
  try {
    await client.config.region();
    return client;
  } catch {
    return open(DEFAULT_REGION);
  }
}

async function loadSdk(): Promise<typeof import("@aws-sdk/client-s3")> {
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

/** Checks the endpoint. Messages never contain the URL, because it may contain a password. @throws UsageError */
function checkEndpoint(endpoint: string | undefined): void {
  if (endpoint === undefined) return;
  const fail = (message: string) => new UsageError(`endpoint: ${message}`);
  if (!URL.canParse(endpoint))
    throw fail("not a valid URL; write it as in http://127.0.0.1:9000");
  const url = new URL(endpoint);
  if (url.username || url.password)
    throw fail(
      "the URL must not contain a user or password; credentials come from the environment or a profile",
    );
  if (!/^https?:$/.test(url.protocol) || url.search || url.hash)
    throw fail("expected an http or https URL without a query");
}
