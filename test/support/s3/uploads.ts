import { createHash } from "node:crypto";
import { randomId, S3Failure } from "./objects-server.js";
import { escapeXml } from "./xml.js";

export interface Upload {
  id: string;
  bucket: string;
  key: string;
  started: Date;
  parts: Map<number, { bytes: Buffer; etag: string }>;
}

/** Multipart uploads in progress. */
export class Uploads {
  readonly #uploads = new Map<string, Upload>();
  /** Minimum size of every part but the last; default: that of S3. */
  minPieceBytes = 5 * 2 ** 20;

  get count(): number {
    return this.#uploads.size;
  }

  start(bucket: string, key: string, started = new Date()): string {
    const id = randomId();
    const upload = { id, bucket, key, started, parts: new Map() };
    this.#uploads.set(id, upload);
    return id;
  }

  find(id: string): Upload | undefined {
    return this.#uploads.get(id);
  }

  end(id: string): void {
    this.#uploads.delete(id);
  }

  /** Returns the object of the listed parts, which must be in order and have the right ETags and checksums. */
  complete({ parts }: Upload, xml: string): { bytes: Buffer; etag: string } {
    const named = [...xml.matchAll(/<Part>(.*?)<\/Part>/gs)].map(
      ([, part = ""]) => ({
        number: Number(/<PartNumber>(\d+)</.exec(part)?.[1]),
        etag: /<ETag>(.*?)</.exec(part)?.[1]?.replaceAll("&quot;", '"'),
        checksum: /<ChecksumSHA256>(.*?)</.exec(part)?.[1],
      }),
    );
    if (named.length === 0) throw new S3Failure(400, "MalformedXML");
    const pieces = named.map(({ number, etag, checksum }, k) => {
      if (number !== k + 1) throw new S3Failure(400, "InvalidPartOrder");
      const part = parts.get(number);
      if (!part || part.etag !== etag) throw new S3Failure(400, "InvalidPart");
      const sha256 = createHash("sha256").update(part.bytes).digest("base64");
      if (checksum !== sha256) throw new S3Failure(400, "InvalidPart");
      if (k + 1 < named.length && part.bytes.byteLength < this.minPieceBytes)
        throw new S3Failure(400, "EntityTooSmall");
      return part.bytes;
    });
    const bytes = Buffer.concat(pieces);
    const md5 = createHash("md5").update(bytes).digest("hex");
    return { bytes, etag: `"${md5}-${pieces.length}"` };
  }

  listXml(bucket: string, prefix: string): string {
    const found = [...this.#uploads.values()].filter(
      (upload) => upload.bucket === bucket && upload.key.startsWith(prefix),
    );
    const entries = found.map(
      ({ key, id, started }) =>
        `<Upload><Key>${escapeXml(key)}</Key><UploadId>${id}</UploadId><Initiated>${started.toISOString()}</Initiated></Upload>`,
    );
    return `<ListMultipartUploadsResult><Bucket>${bucket}</Bucket><IsTruncated>false</IsTruncated>${entries.join("")}</ListMultipartUploadsResult>`;
  }
}

export function partOfUpload(
  { parts }: Upload,
  query: URLSearchParams,
  bytes: Buffer,
): { etag: string } {
  const number = Number(query.get("partNumber"));
  if (!(number >= 1 && number <= 10_000))
    throw new S3Failure(400, "InvalidArgument");
  const md5 = createHash("md5").update(bytes).digest("hex");
  const part = { bytes, etag: `"${md5}"` };
  parts.set(number, part);
  return part;
}
