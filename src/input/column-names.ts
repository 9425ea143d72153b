import { LogitsColumnError } from "../errors.js";

/** A name or pattern that an option gives, and the columns that it stands for. */
export interface NamedColumns {
  text: string;
  /** Places of the columns among the file's; empty where there is none. */
  places: number[];
  isPattern: boolean;
}

/** Pieces of a list that may belong to one name: names with more commas have to be written with backslashes. */
const MOST_PIECES = 8;

/** Splits a list of names at its commas; `\,` is a comma of a name, and `\\` a backslash before one. */
export function splitNames(text: string): string[] {
  const pieces = text.match(/(?:\\[\\,]|[^,])+/g) ?? [];
  return pieces.map((piece) => piece.replace(/\\([\\,])/g, "$1"));
}

/**
 * Finds the columns or arrays of logits that --columns lists.
 * @param names the names of the file's columns or arrays
 * @param problem returns the message for a name that none of them has
 * @throws LogitsColumnError
 */
export function findListed(
  path: string,
  list: string,
  names: readonly string[],
  problem: () => string,
): NamedColumns[] {
  const found = findNames(splitNames(list), names);
  const missing = found.find(({ places }) => places.length === 0);
  if (missing)
    throw new LogitsColumnError(
      path,
      `--columns ${missing.text}: ${problem()}`,
    );
  return found;
}

/**
 * Finds the columns that a list of names and patterns stands for, in the order of the list. A name of a column that has
 * commas wins over its pieces; a name wins over a pattern.
 * @param pieces the list, split at commas
 * @param names the names of the file's columns
 */
export function findNames(
  pieces: readonly string[],
  names: readonly string[],
): NamedColumns[] {
  const found: NamedColumns[] = [];
  for (let from = 0; from < pieces.length; ) {
    const most = Math.min(MOST_PIECES, pieces.length - from);
    const texts = Array.from({ length: most }, (_, k) =>
      pieces.slice(from, from + most - k).join(","),
    );
    const [count, columns] = firstOf(texts, (text) => placesOf(text, names)) ??
      firstOf(texts, (text) => placesOfPattern(text, names)) ?? [
        1,
        { text: texts.at(-1)?.trim() ?? "", places: [], isPattern: false },
      ];
    found.push(columns);
    from += count;
  }
  return found;
}

/** The first text, of the most pieces, that columns have; and of how many pieces it is. */
function firstOf(
  texts: readonly string[],
  find: (text: string) => NamedColumns,
): [pieces: number, columns: NamedColumns] | null {
  for (const [k, text] of texts.entries())
    for (const written of new Set([text, text.trim()])) {
      const columns = find(written);
      if (columns.places.length > 0) return [texts.length - k, columns];
    }
  return null;
}

function placesOf(text: string, names: readonly string[]): NamedColumns {
  const places = names.flatMap((name, k) => (name === text ? [k] : []));
  return { text, places, isPattern: false };
}

/** `*` is any run of characters, `?` any one; the whole name must match. */
function placesOfPattern(text: string, names: readonly string[]): NamedColumns {
  if (!/[*?]/.test(text)) return { text, places: [], isPattern: false };
  const source = text.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  const expression = new RegExp(
    `^${source.replace(/\*/g, ".*").replace(/\?/g, ".")}$`,
    "su",
  );
  const places = names.flatMap((name, k) => (expression.test(name) ? [k] : []));
  return {
    text,
    places: orderedByNumber(places, (k) => names[k] as string),
    isPattern: true,
  };
}

/** Items whose names differ in a number at the end alone, by that number; others as they are. */
export function orderedByNumber<Item>(
  items: readonly Item[],
  nameOf: (item: Item) => string,
): Item[] {
  const numbered = items.map((item) => {
    const [, prefix, digits] = /^(.*?)(\d+)$/s.exec(nameOf(item)) ?? [];
    return { item, prefix, number: BigInt(digits ?? -1) };
  });
  const numbers = new Set(numbered.map(({ number }) => number));
  const isOneSeries =
    numbers.size === items.length &&
    numbered.every(
      ({ prefix }) => prefix !== undefined && prefix === numbered[0]?.prefix,
    );
  if (!isOneSeries) return [...items];
  return numbered
    .sort((a, b) => (a.number < b.number ? -1 : 1))
    .map(({ item }) => item);
}
