import { ServiceUnavailableError } from "../../errors.js";

/** Splits an `s3://bucket/key` name into the fields of a request. */
export function keyOf(name: string): { Bucket: string; Key: string } {
  const [, Bucket = "", Key = ""] =
    /^s3:\/\/([^/]*)\/?(.*)$/is.exec(name) ?? [];
  return { Bucket, Key };
}

/** Response to one request of a listing. */
interface Response<Page, Token> {
  page: Page;
  /** Number of names in the page. */
  names: number;
  /** Token of the next page; false after the last page; null if the store truncates the listing without a token. */
  next: Token | null | false;
}

/** Limits of a listing: more names may not fit in memory, and stores may return many empty pages while they search. */
const LISTING = { maxNames: 10_000_000, maxPages: 100_000 };

/**
 * Yields the pages of a listing.
 * @throws ServiceUnavailableError for a listing that exceeds the limits or does not end
 */
export async function* pagesOf<Page, Token>(
  name: string,
  request: (token: Token | undefined) => Promise<Response<Page, Token>>,
  { maxNames, maxPages } = LISTING,
): AsyncGenerator<Page> {
  const fail = (what: string) => new ServiceUnavailableError(name, what);
  const seen = new Set<string>();
  let token: Token | undefined;
  for (let pages = 1, total = 0; ; pages++) {
    const { page, names, next } = await request(token);
    total += names;
    if (total > maxNames || pages > maxPages)
      throw fail(
        `the listing has more than ${maxNames} names, or ${maxPages} pages; use a longer prefix`,
      );
    yield page;
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
