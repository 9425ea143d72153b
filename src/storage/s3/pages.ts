import { ServiceUnavailableError } from "../../errors.js";

/** Splits an `s3://bucket/key` name into the fields of a request. */
export function keyOf(name: string): { Bucket: string; Key: string } {
  const [, Bucket = "", Key = ""] =
    /^s3:\/\/([^/]*)\/?(.*)$/is.exec(name) ?? [];
  return { Bucket, Key };
}

/** Page of a listing. */
interface Page<Item> {
  items: readonly Item[];
  /** Token of the next page; false after the last page; empty if the store truncates the listing without a token. */
  next: string | false;
}

/** Limits of a listing: more items may not fit in memory, and stores may return many empty pages while they search. */
const LISTING = { maxItems: 10_000_000, maxPages: 100_000 };

/**
 * Yields the items of all pages of a listing.
 * @throws ServiceUnavailableError for a listing that exceeds the limits or does not end
 */
export async function* itemsOf<Item>(
  name: string,
  request: (token: string | undefined) => Promise<Page<Item>>,
  { maxItems, maxPages } = LISTING,
): AsyncGenerator<Item> {
  const fail = (what: string) => new ServiceUnavailableError(name, what);
  const seen = new Set<string>();
  let token: string | undefined;
  for (let total = 0; ; ) {
    const { items, next } = await request(token);
    total += items.length;
    if (total > maxItems || seen.size >= maxPages)
      throw fail(
        `the listing has more than ${maxItems} names, or ${maxPages} pages; use a longer prefix`,
      );
    yield* items;
    if (next === false) return;
    if (next === "")
      throw fail(
        "the object store truncates its listing without a continuation token",
      );
    if (seen.has(next))
      throw fail(
        "the object store repeats a continuation token, so its listing would never end",
      );
    seen.add(next);
    token = next;
  }
}
