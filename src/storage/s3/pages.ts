import { ServiceUnavailableError } from "../../errors.js";

/** Splits an `s3://bucket/key` name into the fields of a request. */
export function keyOf(name: string): { Bucket: string; Key: string } {
  const [, Bucket = "", Key = ""] =
    /^s3:\/\/([^/]*)\/?(.*)$/is.exec(name) ?? [];
  return { Bucket, Key };
}

/** Page of a listing. */
interface Page<Item, Token> {
  items: readonly Item[];
  /** Token of the next page; false after the last page; null if the store truncates the listing without a token. */
  next: Token | null | false;
}

/** Limits of a listing: more items may not fit in memory, and stores may return many empty pages while they search. */
const LISTING = { maxItems: 10_000_000, maxPages: 100_000 };

/** Yields the items of all pages of a listing. Fails if it exceeds the limits or does not end. */
export async function* itemsOf<Item, Token>(
  name: string,
  request: (token: Token | undefined) => Promise<Page<Item, Token>>,
  { maxItems, maxPages } = LISTING,
): AsyncGenerator<Item> {
  const fail = (what: string) => new ServiceUnavailableError(name, what);
  const seen = new Set<string>();
  let token: Token | undefined;
  for (let total = 0; ; ) {
    const { items, next } = await request(token);
    total += items.length;
    if (total > maxItems || seen.size >= maxPages)
      throw fail(
        `the listing has more than ${maxItems} names, or ${maxPages} pages; use a longer prefix`,
      );
    yield* items;
    if (next === false) return;
    if (next === null)
      throw fail(
        "the object store truncates its listing without a continuation token",
      );
    const text = JSON.stringify(next);
    if (seen.has(text))
      throw fail(
        "the object store repeats a continuation token, so its listing would never end",
      );
    seen.add(text);
    token = next;
  }
}
