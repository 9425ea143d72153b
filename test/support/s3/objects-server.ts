import type { IncomingMessage, ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";
import {
  etagOf,
  hash,
  listingXml,
  S3Failure,
  type StoredObject,
  tag,
} from "./formats.js";
import { LocalServer } from "./local-server.js";
import { Uploads } from "./uploads.js";

// In-memory S3 server for the requests that softjac makes. Like S3, it checks bucket names, conditions, checksums, lengths and
// the minimum size of multipart parts. It rejects all other requests.

/** Request with the status of its response. */
export interface Served {
  method: string;
  key: string;
  query: URLSearchParams;
  headers: IncomingMessage["headers"];
  status: number;
}

interface Answer {
  status: number;
  headers?: Record<string, string | number>;
  body?: Buffer | string;
}

interface Call extends Served {
  bucket: string;
  body: Buffer;
  objects: Map<string, StoredObject>;
}

/** Credentials with all permissions. */
export const ACCESS_KEY = "AKIATESTACCESSKEY";
export const SECRET_KEY = "a-secret-that-nobody-may-see";

export class ObjectsServer extends LocalServer {
  readonly buckets = new Map<string, Map<string, StoredObject>>();
  readonly uploads = new Uploads();
  readonly served: Served[] = [];
  /** Maximum number of names per listing. */
  pageSize = 1000;
  /** Whether the server ignores conditions of all puts, or only of multipart uploads. */
  ignoresConditions: boolean | "uploads" = false;
  /** Changes a listing before it is sent. */
  changeListing: ((xml: string, query: URLSearchParams) => string) | null =
    null;

  constructor() {
    super((request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
  }

  bucket(name: string): Map<string, StoredObject> {
    const found = this.buckets.get(name) ?? new Map<string, StoredObject>();
    this.buckets.set(name, found);
    return found;
  }

  /** Stores an object without a request. */
  put(bucket: string, key: string, bytes: Uint8Array, modified = new Date()) {
    const object = { bytes: Buffer.from(bytes), etag: etagOf(bytes), modified };
    this.bucket(bucket).set(key, object);
  }

  async #serve(
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const { method = "", headers } = request;
    const url = new URL(request.url ?? "/", "http://127.0.0.1");
    const path = decodeURIComponent(url.pathname).split("/");
    const [, bucket = "", ...rest] = path;
    const { searchParams: query } = url;
    const served = { method, key: rest.join("/"), query, headers, status: 0 };
    let answer: Answer;
    try {
      const body = await buffer(request);
      checkRequest(headers, body);
      const objects = this.buckets.get(bucket);
      if (!objects) throw new S3Failure(404, "NoSuchBucket");
      answer = this.#answer({ ...served, bucket, body, objects });
    } catch (error) {
      if (!(error instanceof S3Failure)) throw error;
      const { status, code } = error;
      const text = tag("Error", { Code: code, Message: code });
      answer = xml(text, status);
    }
    const { status, body = "" } = answer;
    this.served.push({ ...served, status });
    const length = Buffer.byteLength(body);
    const lengths = { "content-length": length, ...answer.headers };
    response.writeHead(status, lengths);
    response.end(method === "HEAD" ? undefined : body);
  }

  #answer(call: Call): Answer {
    const { method, key, query, bucket, body, objects, headers } = call;
    if (key === "") return this.#list(call);
    const id = query.get("uploadId");
    if (query.has("uploads") && method === "POST") {
      const UploadId = this.uploads.start(bucket, key);
      return xml(tag("InitiateMultipartUploadResult", { UploadId }));
    }
    if (id !== null) return this.#ofUpload(call, id);
    const found = objects.get(key);
    if (method === "PUT") {
      checkChecksum(headers, body);
      this.#checkPut(call);
      this.put(bucket, key, body);
      return { status: 200, headers: { etag: etagOf(body) } };
    }
    if (method === "GET" || method === "HEAD") {
      if (!found) throw new S3Failure(404, "NoSuchKey");
      if (headers["if-match"] && headers["if-match"] !== found.etag)
        throw new S3Failure(412, "PreconditionFailed");
      return rangeOf(headers.range, found);
    }
    if (method !== "DELETE") throw new S3Failure(405, "MethodNotAllowed");
    objects.delete(key);
    return { status: 204 };
  }

  #list({ method, query, bucket, objects }: Call): Answer {
    if (method !== "GET") throw new S3Failure(405, "MethodNotAllowed");
    if (!query.has("uploads") && query.get("list-type") !== "2")
      throw new S3Failure(501, "NotImplemented");
    const listing = query.has("uploads")
      ? this.uploads.listXml(bucket, query.get("prefix") ?? "")
      : listingXml(objects, query, this.pageSize);
    return xml(this.changeListing?.(listing, query) ?? listing);
  }

  #ofUpload(call: Call, id: string): Answer {
    const { method, key, query, body, objects, headers } = call;
    const upload = this.uploads.find(id, key);
    if (method === "PUT") {
      const checksum = checkChecksum(headers, body);
      this.uploads.putPart(upload, Number(query.get("partNumber")), body);
      const sums = { "x-amz-checksum-sha256": checksum, etag: etagOf(body) };
      return { status: 200, headers: sums };
    }
    if (method === "POST") {
      if (this.ignoresConditions !== "uploads") this.#checkPut(call);
      const { bytes, etag } = this.uploads.complete(upload, `${body}`);
      objects.set(key, { bytes, etag, modified: upload.started });
      this.uploads.end(id);
      return xml(
        tag("CompleteMultipartUploadResult", { Key: key, ETag: etag }),
      );
    }
    if (method !== "DELETE") throw new S3Failure(405, "MethodNotAllowed");
    this.uploads.end(id);
    return { status: 204 };
  }

  #checkPut({ headers, objects, key }: Call): void {
    if (this.ignoresConditions === true) return;
    if (headers["if-none-match"] === "*" && objects.has(key))
      throw new S3Failure(412, "PreconditionFailed");
  }
}

const xml = (body: string, status = 200): Answer => ({
  ...{ status, headers: { "content-type": "application/xml" }, body },
});

/** Rejects incomplete and chunked bodies, and requests without the credentials. */
function checkRequest(headers: Served["headers"], body: Buffer): void {
  const declared = headers["content-length"] ?? body.byteLength;
  if (Number(declared) !== body.byteLength)
    throw new S3Failure(400, "IncompleteBody");
  if (headers["content-encoding"]?.includes("aws-chunked"))
    throw new S3Failure(501, "NotImplemented");
  const [, key] =
    /Credential=([^/]+)\//.exec(headers.authorization ?? "") ?? [];
  if (key === undefined) throw new S3Failure(403, "AccessDenied");
  if (key !== ACCESS_KEY) throw new S3Failure(403, "InvalidAccessKeyId");
}

/** Rejects a body without a checksum or with a wrong one. Returns the checksum. */
function checkChecksum(headers: Served["headers"], body: Buffer): string {
  const expected = headers["x-amz-checksum-sha256"];
  if (typeof expected !== "string") throw new S3Failure(400, "InvalidRequest");
  if (hash("sha256", body) !== expected) throw new S3Failure(400, "BadDigest");
  return expected;
}

/** Returns the response with an object, or with a range of it. */
function rangeOf(
  range: string | undefined,
  { bytes, etag, modified }: StoredObject,
): Answer {
  const { byteLength } = bytes;
  const all = {
    ...{ etag, "last-modified": modified.toUTCString() },
    "accept-ranges": "bytes",
  };
  if (!range) return { status: 200, headers: all, body: bytes };
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
  const start = Number(first);
  const end = Math.min(Number(last) + 1, byteLength);
  if (!(start < end)) throw new S3Failure(416, "InvalidRange");
  const part = { "content-range": `bytes ${start}-${end - 1}/${byteLength}` };
  const body = bytes.subarray(start, end);
  return { status: 206, headers: { ...all, ...part }, body };
}
