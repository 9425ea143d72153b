import { randomUUID } from "node:crypto";
import { etagOf, hash, S3Failure, tag, textIn } from "./formats.js";

interface Upload {
  id: string;
  bucket: string;
  key: string;
  started: Date;
  parts: Map<number, Buffer>;
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
    const id = randomUUID();
    this.#uploads.set(id, { id, bucket, key, started, parts: new Map() });
    return id;
  }

  find(id: string, key: string): Upload {
    const upload = this.#uploads.get(id);
    if (upload?.key !== key) throw new S3Failure(404, "NoSuchUpload");
    return upload;
  }

  end(id: string): void {
    this.#uploads.delete(id);
  }

  putPart({ parts }: Upload, number: number, bytes: Buffer): void {
    if (!(number >= 1 && number <= 10_000))
      throw new S3Failure(400, "InvalidArgument");
    parts.set(number, bytes);
  }

  /** Returns the object of the listed parts, which must be in order and have the right ETags and checksums. */
  complete({ parts }: Upload, xml: string): { bytes: Buffer; etag: string } {
    const named = [...xml.matchAll(/<Part>(.*?)<\/Part>/gs)];
    if (named.length === 0) throw new S3Failure(400, "MalformedXML");
    const pieces = named.map(([, part = ""], k) => {
      const number = Number(textIn(part, "PartNumber"));
      if (number !== k + 1) throw new S3Failure(400, "InvalidPartOrder");
      const bytes = parts.get(number);
      const etag = textIn(part, "ETag")?.replaceAll("&quot;", '"');
      const checksum = textIn(part, "ChecksumSHA256");
      if (
        !bytes ||
        etag !== etagOf(bytes) ||
        checksum !== hash("sha256", bytes)
      )
        throw new S3Failure(400, "InvalidPart");
      if (k + 1 < named.length && bytes.byteLength < this.minPieceBytes)
        throw new S3Failure(400, "EntityTooSmall");
      return bytes;
    });
    const bytes = Buffer.concat(pieces);
    const etag = etagOf(bytes).replace(/"$/, `-${pieces.length}"`);
    return { bytes, etag };
  }

  /** Returns the response of ListMultipartUploads. */
  listXml(bucket: string, prefix: string): string {
    const uploads = [...this.#uploads.values()]
      .filter((one) => one.bucket === bucket && one.key.startsWith(prefix))
      .map(({ key, id, started }) => ({
        ...{ Key: key, UploadId: id, Initiated: started.toISOString() },
      }));
    const all = uploads.map((upload) => tag("Upload", upload)).join("");
    return `<ListMultipartUploadsResult><Bucket>${bucket}</Bucket><IsTruncated>false</IsTruncated>${all}</ListMultipartUploadsResult>`;
  }
}
