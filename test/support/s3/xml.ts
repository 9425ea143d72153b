import type { StoredObject } from "./objects-server.js";

export function escapeXml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll('"', "&quot;");
}

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
  const keys = [...objects.keys()]
    .filter((key) => key.startsWith(prefix))
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const entries: string[] = [];
  const prefixes = new Set<string>();
  let last = "";
  let truncated = false;
  for (const key of keys) {
    const cut = delimiter ? key.indexOf(delimiter, prefix.length) : -1;
    const common = cut < 0 ? null : key.slice(0, cut + delimiter.length);
    // The token is the last listed name.
    if ((common ?? key) <= after || (common && prefixes.has(common))) continue;
    if (entries.length + prefixes.size === most) {
      truncated = true;
      break;
    }
    last = common ?? key;
    if (common) prefixes.add(common);
    else {
      const { bytes, etag, modified } = objects.get(key) as StoredObject;
      entries.push(
        `<Contents><Key>${escapeXml(key)}</Key><Size>${bytes.byteLength}</Size><ETag>${escapeXml(etag)}</ETag><LastModified>${modified.toISOString()}</LastModified></Contents>`,
      );
    }
  }
  const common = [...prefixes].map(
    (text) =>
      `<CommonPrefixes><Prefix>${escapeXml(text)}</Prefix></CommonPrefixes>`,
  );
  const next = truncated
    ? `<NextContinuationToken>${escapeXml(last)}</NextContinuationToken>`
    : "";
  return `<?xml version="1.0"?><ListBucketResult><IsTruncated>${truncated}</IsTruncated>${next}${entries.join("")}${common.join("")}</ListBucketResult>`;
}
