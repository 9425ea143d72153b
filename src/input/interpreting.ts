import { InputFormatError, SoftjacError } from "../errors.js";
import { MissingRangesError } from "../io/fetched-ranges.js";
import { knownError } from "../io/system-error.js";

/** Longest text of a foreign error in a message. */
const MAX_TEXT = 200;

/**
 * Interprets an input. Whatever is thrown meanwhile is an error of the input, unless the system or the user caused it.
 * @param where the part of the file that is interpreted, for the message
 * @throws SoftjacError, MissingRangesError
 */
export async function interpreting<T>(
  path: string,
  where: string,
  work: () => T | Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asInputError(path, where, error);
  }
}

/** Does what `interpreting` does, for work that does not wait. */
export function interpretingSync<T>(
  path: string,
  where: string,
  work: () => T,
): T {
  try {
    return work();
  } catch (error) {
    throw asInputError(path, where, error);
  }
}

/** Yields what `items` yields; what they throw is an error of the input, what the caller throws is not. */
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

/** Does what `interpreting` does, for work that calls a function of the caller: what that throws stays as it is. */
export async function interpretingWith<Arguments extends unknown[], T>(
  path: string,
  where: string,
  call: ((...all: Arguments) => void) | undefined,
  work: (call: (...all: Arguments) => void) => Promise<T>,
): Promise<T> {
  const callers: unknown[] = [];
  try {
    return await work((...all) => {
      try {
        call?.(...all);
      } catch (error) {
        callers.push(error);
        throw error;
      }
    });
  } catch (error) {
    throw callers.includes(error) ? error : asInputError(path, where, error);
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
