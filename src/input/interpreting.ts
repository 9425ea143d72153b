import { InputFormatError, SoftjacError } from "../errors.js";
import { AbsentBytes } from "../io/present-blocks.js";
import { knownError } from "../system-error.js";

/** Longest text of a foreign error in a message. */
const MOST_TEXT = 200;

/**
 * Interprets an input. Whatever is thrown meanwhile is an error of the input, unless the system or the user caused it.
 * @param where the part of the file that is interpreted, for the message
 * @throws SoftjacError, AbsentBytes
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

function asInputError(path: string, where: string, thrown: unknown): unknown {
  const known = knownError(thrown);
  if (known instanceof SoftjacError || known instanceof AbsentBytes)
    return known;
  return new InputFormatError(path, where, reasonOf(thrown), { cause: thrown });
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  if (error instanceof RangeError && /call stack/i.test(text))
    return "its values are nested too deeply";
  if (error instanceof RangeError && /alloc|length|size/i.test(text))
    return `it declares more values than fit in memory (${text})`;
  return `it could not be interpreted (${text.replace(/\s+/g, " ").slice(0, MOST_TEXT)})`;
}
