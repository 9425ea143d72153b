import { describeField, type Field } from "../arrow/field.js";
import { LogitsColumnError, UsageError } from "../errors.js";
import { shortList } from "../printable.js";

/** Columns or arrays of a file, which options name. */
export interface NamedThings {
  path: string;
  thing: "column" | "array";
  names: readonly string[];
  /** Lists them with their types, for messages. */
  listed(): string;
}

/** Returns the columns of a file as things that options name. */
export function namedColumns(
  path: string,
  fields: readonly Field[],
): NamedThings {
  const names = fields.map(({ name }) => name);
  return { path, thing: "column", names, listed: () => listed(fields) };
}

/** Lists the columns of a file with their types, for messages. */
export function listed(fields: readonly Field[]): string {
  const text = (field: Field) => `${field.name}: ${describeField(field)}`;
  return shortList(fields, text) || "no columns";
}

/**
 * Returns the place of the only column or array of a name.
 * @param option the option and its value, for the message
 * @param advice appended to the message
 * @throws LogitsColumnError
 */
export function placeOf(
  from: NamedThings,
  option: string,
  name: string,
  advice = "",
): number {
  const places = placesOf(name, from.names).places;
  if (places.length !== 1) throw notOne(from, option, places, advice);
  return places[0] as number;
}

function notOne(
  { path, thing, listed }: NamedThings,
  option: string,
  places: readonly number[],
  advice = "",
): LogitsColumnError {
  const problem =
    places.length === 0
      ? `no such ${thing}; the file has ${listed()}`
      : `${places.length} ${thing}s have this name`;
  return new LogitsColumnError(path, `${option}: ${problem}${advice}`);
}

/**
 * Returns the places of the columns or arrays that `keep` names, in that order.
 * @param ownNames names of the output's other columns
 * @throws LogitsColumnError, UsageError
 */
export function copiedPlaces(
  from: NamedThings,
  keep: readonly string[],
  ownNames: readonly string[],
): number[] {
  const { path, names } = from;
  const chosen = findNames(keep, names).flatMap(
    ({ text, places, isPattern }) => {
      if (places.length === 0 || (places.length > 1 && !isPattern))
        throw notOne(from, `--keep ${text}`, places);
      return places;
    },
  );
  const seen = new Set<string>();
  for (const place of chosen) {
    const name = names[place] as string;
    if (ownNames.includes(name))
      throw new LogitsColumnError(
        path,
        `--keep ${name}: the output has a column ${name} of its own`,
      );
    if (seen.has(name))
      throw new UsageError(`keep: ${name} is given twice`, "keep");
    seen.add(name);
  }
  return chosen;
}

/** Finds the columns or arrays of logits that --columns lists. @throws LogitsColumnError */
export function findListed(from: NamedThings, list: string): NamedColumns[] {
  const found = findNames(splitNames(list), from.names);
  const missing = found.find(({ places }) => places.length === 0);
  if (missing) throw notOne(from, `--columns ${missing.text}`, []);
  return found;
}

/** A name or pattern that an option gives, and the columns that it stands for. */
export interface NamedColumns {
  text: string;
  /** Places of the columns among the file's; empty where there is none. */
  places: number[];
  isPattern: boolean;
}

/** Pieces of a list that may belong to one name: names with more commas have to be written with backslashes. */
const MAX_PIECES = 8;

/** Splits a list of names at its commas; `\,` is a comma of a name, and `\\` a backslash before one. */
export function splitNames(text: string): string[] {
  const pieces = text.match(/(?:\\[\\,]|[^,])+/g) ?? [];
  return pieces.map((piece) => piece.replace(/\\([\\,])/g, "$1"));
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
    const most = Math.min(MAX_PIECES, pieces.length - from);
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

/** Returns the first text that names columns, and its number of pieces. */
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

/** Matches whole names: `*` stands for any characters, `?` for any one. */
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

/** Orders items by the number at the end of their names, if the names differ only in it. */
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
