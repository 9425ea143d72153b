import { createHash } from "node:crypto";

/** Response that refuses a request. */
export class S3Failure extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
  ) {
    super(code);
  }
}

export interface StoredObject {
  bytes: Buffer;
  etag: string;
  modified: Date;
}

export const hash = (
  name: "md5" | "sha256",
  bytes: Uint8Array,
  encoding: "hex" | "base64" = "base64",
) => createHash(name).update(bytes).digest(encoding);

export const etagOf = (bytes: Uint8Array) => `"${hash("md5", bytes, "hex")}"`;

/** Returns an XML element with text, or with elements. */
export function tag(
  name: string,
  content: string | Record<string, string>,
): string {
  const inner =
    typeof content === "string"
      ? content
          .replaceAll("&", "&amp;")
          .replaceAll("<", "&lt;")
          .replaceAll('"', "&quot;")
      : Object.entries(content)
          .map(([field, text]) => tag(field, text))
          .join("");
  return `<${name}>${inner}</${name}>`;
}

/** Returns the text of the first element with a name. */
export const textIn = (xml: string, name: string) =>
  new RegExp(`<${name}>(.*?)<`).exec(xml)?.[1];

/** Returns the response of ListObjectsV2, in byte order of the keys. */
export function listingXml(
  objects: ReadonlyMap<string, StoredObject>,
  query: URLSearchParams,
  pageSize: number,
): string {
  const prefix = query.get("prefix") ?? "";
  const delimiter = query.get("delimiter") ?? "";
  const after = query.get("continuation-token") ?? "";
  const most = Math.min(pageSize, Number(query.get("max-keys") ?? pageSize));
  const entries = new Map<string, string>();
  const sorted = [...objects].sort(([a], [b]) =>
    Buffer.compare(Buffer.from(a), Buffer.from(b)),
  );
  let next = "";
  for (const [key, { bytes, etag, modified }] of sorted) {
    const cut = delimiter ? key.indexOf(delimiter, prefix.length) : -1;
    const name = cut < 0 ? key : key.slice(0, cut + delimiter.length);
    // The token is the last listed name.
    if (!key.startsWith(prefix) || name <= after || entries.has(name)) continue;
    if (entries.size === most) {
      next = [...entries.keys()].at(-1) as string;
      break;
    }
    const [Size, LastModified] = [`${bytes.length}`, modified.toISOString()];
    const contents = { Key: key, Size, ETag: etag, LastModified };
    entries.set(
      name,
      cut < 0
        ? tag("Contents", contents)
        : tag("CommonPrefixes", { Prefix: name }),
    );
  }
  const token = next && tag("NextContinuationToken", next);
  return `<?xml version="1.0"?><ListBucketResult><IsTruncated>${next !== ""}</IsTruncated>${token}${[...entries.values()].join("")}</ListBucketResult>`;
}
