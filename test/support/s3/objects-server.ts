import { createHash, randomBytes } from "node:crypto";
import {
  createServer,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { partOfUpload, Uploads } from "./uploads.js";
import { escapeXml, listingXml } from "./xml.js";

// In-memory S3 server for the requests that softjac makes. Like S3, it checks bucket names, conditions, checksums, lengths and
// the minimum size of multipart parts. It rejects all other requests.

export interface StoredObject {
  bytes: Buffer;
  etag: string;
  modified: Date;
}

/** Request with the status of its response. */
export interface Served {
  method: string;
  key: string;
  query: URLSearchParams;
  headers: IncomingMessage["headers"];
  bytes: number;
  status: number;
}

/** Credentials with all permissions. */
export const ACCESS_KEY = "AKIATESTACCESSKEY";
export const SECRET_KEY = "a-secret-that-nobody-may-see";

export class S3Failure extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
  ) {
    super(code);
  }
}

export class ObjectsServer {
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
  readonly #server = createServer((request, response) => {
    this.#serve(request, response).catch(() => response.destroy());
  });

  async start(): Promise<string> {
    await new Promise<void>((resolve) =>
      this.#server.listen(0, "127.0.0.1", resolve),
    );
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  bucket(name: string): Map<string, StoredObject> {
    const found = this.buckets.get(name) ?? new Map<string, StoredObject>();
    this.buckets.set(name, found);
    return found;
  }

  /** Stores an object without a request. */
  put(bucket: string, key: string, bytes: Uint8Array, modified = new Date()) {
    const md5 = createHash("md5").update(bytes).digest("hex");
    const object = { bytes: Buffer.from(bytes), etag: `"${md5}"`, modified };
    this.bucket(bucket).set(key, object);
  }

  async #serve(
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const url = new URL(request.url ?? "/", "http://127.0.0.1");
    const [, bucket = "", ...rest] = decodeURIComponent(url.pathname).split(
      "/",
    );
    const key = rest.join("/");
    const method = request.method ?? "";
    const served: Served = {
      method,
      key,
      query: url.searchParams,
      headers: request.headers,
      bytes: 0,
      status: 0,
    };
    const answer = (
      status: number,
      headers: Record<string, string | number> = {},
      body: Buffer | string = "",
    ) => {
      served.status = status;
      this.served.push(served);
      const length = Buffer.byteLength(body);
      response.writeHead(status, { "content-length": length, ...headers });
      response.end(method === "HEAD" ? undefined : body);
    };
    try {
      const body = await bodyOf(request);
      served.bytes = body.byteLength;
      refuseStranger(request);
      const objects = this.buckets.get(bucket);
      if (!objects) throw new S3Failure(404, "NoSuchBucket");
      const call = { request, url, bucket, key, body, objects, answer };
      if (key === "") this.#ofBucket(call);
      else if (
        url.searchParams.has("uploads") ||
        url.searchParams.has("uploadId")
      )
        this.#ofUpload(call);
      else this.#ofObject(call);
    } catch (error) {
      if (!(error instanceof S3Failure)) throw error;
      const { status, code } = error;
      const text = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`;
      answer(status, { "content-type": "application/xml" }, text);
    }
  }

  #ofBucket({ request, url, bucket, objects, answer }: Call): void {
    const { searchParams } = url;
    if (request.method !== "GET") throw new S3Failure(405, "MethodNotAllowed");
    if (searchParams.has("uploads")) {
      const prefix = searchParams.get("prefix") ?? "";
      const uploads = this.uploads.listXml(bucket, prefix);
      answer(200, XML, this.changeListing?.(uploads, searchParams) ?? uploads);
      return;
    }
    if (searchParams.get("list-type") !== "2")
      throw new S3Failure(501, "NotImplemented");
    const listing = listingXml(objects, searchParams, this.pageSize);
    answer(200, XML, this.changeListing?.(listing, searchParams) ?? listing);
  }

  #ofObject({ request, key, body, objects, answer }: Call): void {
    const found = objects.get(key);
    const { headers, method } = request;
    switch (method) {
      case "PUT": {
        checkChecksum(request, body);
        this.#checkPut(headers, found);
        const md5 = createHash("md5").update(body).digest("hex");
        const etag = `"${md5}"`;
        objects.set(key, { bytes: body, etag, modified: new Date() });
        answer(200, { etag });
        return;
      }
      case "GET":
      case "HEAD": {
        if (!found) throw new S3Failure(404, "NoSuchKey");
        if (headers["if-match"] && headers["if-match"] !== found.etag)
          throw new S3Failure(412, "PreconditionFailed");
        const { status, bytes, range } = rangeOf(headers.range, found.bytes);
        answer(
          status,
          {
            etag: found.etag,
            "last-modified": found.modified.toUTCString(),
            "content-length": bytes.byteLength,
            "accept-ranges": "bytes",
            ...(range && { "content-range": range }),
          },
          bytes,
        );
        return;
      }
      case "DELETE":
        objects.delete(key);
        answer(204);
        return;
      default:
        throw new S3Failure(405, "MethodNotAllowed");
    }
  }

  #ofUpload({ request, url, bucket, key, body, objects, answer }: Call): void {
    const id = url.searchParams.get("uploadId") ?? "";
    if (request.method === "POST" && url.searchParams.has("uploads")) {
      const uploadId = this.uploads.start(bucket, key);
      answer(
        200,
        XML,
        `<InitiateMultipartUploadResult><Bucket>${bucket}</Bucket><Key>${escapeXml(key)}</Key><UploadId>${uploadId}</UploadId></InitiateMultipartUploadResult>`,
      );
      return;
    }
    const upload = this.uploads.find(id);
    if (!upload || upload.key !== key) throw new S3Failure(404, "NoSuchUpload");
    if (request.method === "PUT") {
      checkChecksum(request, body);
      const part = partOfUpload(upload, url.searchParams, body);
      const checksum = request.headers["x-amz-checksum-sha256"] as string;
      answer(200, {
        etag: part.etag,
        ...(checksum && { "x-amz-checksum-sha256": checksum }),
      });
    } else if (request.method === "DELETE") {
      this.uploads.end(id);
      answer(204);
    } else if (request.method === "POST") {
      if (this.ignoresConditions !== "uploads")
        this.#checkPut(request.headers, objects.get(key));
      const { bytes, etag } = this.uploads.complete(upload, body.toString());
      objects.set(key, { bytes, etag, modified: upload.started });
      this.uploads.end(id);
      answer(
        200,
        XML,
        `<CompleteMultipartUploadResult><Key>${escapeXml(key)}</Key><ETag>${escapeXml(etag)}</ETag></CompleteMultipartUploadResult>`,
      );
    } else throw new S3Failure(405, "MethodNotAllowed");
  }

  #checkPut(
    headers: IncomingMessage["headers"],
    found: StoredObject | undefined,
  ): void {
    if (this.ignoresConditions === true) return;
    if (headers["if-none-match"] === "*" && found)
      throw new S3Failure(412, "PreconditionFailed");
    if (headers["if-match"] && headers["if-match"] !== found?.etag)
      throw new S3Failure(412, "PreconditionFailed");
  }
}

interface Call {
  request: IncomingMessage;
  url: URL;
  bucket: string;
  key: string;
  body: Buffer;
  objects: Map<string, StoredObject>;
  answer: (
    status: number,
    headers?: Record<string, string | number>,
    body?: Buffer | string,
  ) => void;
}

const XML = { "content-type": "application/xml" };

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  const body = Buffer.concat(pieces);
  const declared = request.headers["content-length"];
  if (declared !== undefined && Number(declared) !== body.byteLength)
    throw new S3Failure(400, "IncompleteBody");
  if (request.headers["content-encoding"]?.includes("aws-chunked"))
    throw new S3Failure(501, "NotImplemented");
  return body;
}

function refuseStranger({ headers }: IncomingMessage): void {
  const [, key] =
    /Credential=([^/]+)\//.exec(headers.authorization ?? "") ?? [];
  if (key === undefined) throw new S3Failure(403, "AccessDenied");
  if (key !== ACCESS_KEY) throw new S3Failure(403, "InvalidAccessKeyId");
}

/** Rejects a body without a checksum or with a wrong one. */
function checkChecksum({ headers }: IncomingMessage, body: Buffer): void {
  const sha256 = createHash("sha256").update(body);
  const expected = headers["x-amz-checksum-sha256"];
  if (typeof expected !== "string") throw new S3Failure(400, "InvalidRequest");
  if (sha256.digest("base64") !== expected)
    throw new S3Failure(400, "BadDigest");
}

function rangeOf(
  header: string | undefined,
  bytes: Buffer,
): { status: number; bytes: Buffer; range?: string } {
  if (!header) return { status: 200, bytes };
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(header) ?? [];
  const start = Number(first);
  const end = Math.min(Number(last) + 1, bytes.byteLength);
  if (!(start < end)) throw new S3Failure(416, "InvalidRange");
  return {
    status: 206,
    bytes: bytes.subarray(start, end),
    range: `bytes ${start}-${end - 1}/${bytes.byteLength}`,
  };
}

export function randomId(): string {
  return randomBytes(8).toString("hex");
}
