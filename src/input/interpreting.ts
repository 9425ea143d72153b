import { InputFormatError, SoftjacError } from "../errors.js";
import { MissingRangesError } from "../io/fetched-ranges.js";
import { knownError } from "../io/system-error.js";

/** Maximum length of another library's error text in a message. */
const MAX_TEXT = 200;

/**
 * Runs `work`, which parses an input and may return a promise, and converts unexpected errors to InputFormatError: damaged
 * bytes cause them.
 * @param where part of the file, for the message
 * @throws SoftjacError, MissingRangesError
 */
export function interpreting<T>(path: string, where: string, work: () => T): T {
  const fail = (error: unknown) => {
    throw asInputError(path, where, error);
  };
  try {
    const result = work();
    return result instanceof Promise ? (result.catch(fail) as T) : result;
  } catch (error) {
    return fail(error);
  }
}

/** Yields `items` and converts the errors that they throw, but not those of the consumer. */
export async function* interpretingEach<T>(
  path: string,
  where: string,
  items: AsyncIterable<T>,
): AsyncGenerator<T> {
  try {
    yield* items;
  } catch (error) {
    throw asInputError(path, where, error);
  }
}

function asInputError(path: string, where: string, thrown: unknown): unknown {
  const known = knownError(thrown);
  if (known instanceof SoftjacError || known instanceof MissingRangesError)
    return known;
  return new InputFormatError(path, where, reasonOf(thrown), { cause: thrown });
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  if (error instanceof RangeError && /call stack/i.test(text))
    return "the values are nested too deeply";
  if (error instanceof RangeError && /alloc|length|size/i.test(text))
    return `not enough memory (${text})`;
  return `could not be parsed (${text.replace(/\s+/g, " ").slice(0, MAX_TEXT)})`;
}
