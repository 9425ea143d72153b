import { ServiceUnavailableError } from "../../errors.js";
import { type S3Place, s3Name } from "../location.js";

/** What one request of a listing found. */
interface Answer<Page, Token> {
  page: Page;
  /** Number of names in the page. */
  names: number;
  /** Where the next page starts; false: this is the last page; null: there are more, but the store does not say where. */
  next: Token | null | false;
}

/** Bounds of a listing. No dataset has so many files; a list of them would not fit in memory. */
const MOST_NAMES = 10_000_000;
/** Stores may answer with empty pages while they search. */
const MOST_PAGES = 100_000;

/**
 * Asks for the pages of a listing until the last one.
 * @throws ServiceUnavailableError for a store whose listing does not end
 */
export async function* pagesOf<Page, Token>(
  { bucket, key }: S3Place,
  ask: (token: Token | undefined) => Promise<Answer<Page, Token>>,
  { mostNames = MOST_NAMES, mostPages = MOST_PAGES } = {},
): AsyncGenerator<Page> {
  const refuse = (what: string) =>
    new ServiceUnavailableError(s3Name(bucket, key), what);
  const asked = new Set<string>();
  let token: Token | undefined;
  for (let pages = 1, total = 0; ; pages++) {
    const { page, names, next } = await ask(token);
    total += names;
    if (total > mostNames || pages > mostPages)
      throw refuse(
        `the listing has more than ${mostNames} names, or ${mostPages} pages; use a longer prefix`,
      );
    yield page;
    if (next === false) return;
    if (next === null)
      throw refuse(
        "the object store truncates its listing without a continuation token",
      );
    const text = JSON.stringify(next);
    if (asked.has(text))
      throw refuse(
        "the object store repeats a continuation token, so its listing would never end",
      );
    asked.add(text);
    token = next;
  }
}
