import { ServiceUnavailableError } from "../../errors.js";

/** Returns the bucket and key of a name as requests have them. */
export function keyOf(name: string): { Bucket: string; Key: string } {
  const [, Bucket = "", Key = ""] =
    /^s3:\/\/([^/]*)\/?(.*)$/is.exec(name) ?? [];
  return { Bucket, Key };
}

/** Answer to one request of a listing. */
interface Answer<Page, Token> {
  page: Page;
  /** Number of names in the page. */
  names: number;
  /** Token of the next page; false: this is the last page; null: the store says that there are more, but not where. */
  next: Token | null | false;
}

/** Limits of a listing: more names would not fit in memory. Stores may answer with empty pages while they search. */
const LISTING = { maxNames: 10_000_000, maxPages: 100_000 };

/**
 * Yields the pages of a listing until the last one.
 * @throws ServiceUnavailableError for a listing that does not end
 */
export async function* pagesOf<Page, Token>(
  name: string,
  ask: (token: Token | undefined) => Promise<Answer<Page, Token>>,
  { maxNames, maxPages } = LISTING,
): AsyncGenerator<Page> {
  const fail = (what: string) => new ServiceUnavailableError(name, what);
  const asked = new Set<string>();
  let token: Token | undefined;
  for (let pages = 1, total = 0; ; pages++) {
    const { page, names, next } = await ask(token);
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
    if (asked.has(text))
      throw fail(
        "the object store repeats a continuation token, so its listing would never end",
      );
    asked.add(text);
    token = next;
  }
}
