import { describeField, type Field } from "../arrow/field.js";
import { LogitsColumnError, UsageError } from "../errors.js";
import { shortList } from "../printable.js";

/** Columns or arrays of a file, among which options choose by name. */
export interface NamedItems {
  path: string;
  kind: "column" | "array";
  names: readonly string[];
  /** Lists the items with their types, for messages. */
  list(): string;
}

export function namedColumns(
  path: string,
  fields: readonly Field[],
): NamedItems {
  const names = fields.map(({ name }) => name);
  return { path, kind: "column", names, list: () => listColumns(fields) };
}

/** Lists the columns of a file with their types, for messages. */
export function listColumns(fields: readonly Field[]): string {
  const text = (field: Field) => `${field.name}: ${describeField(field)}`;
  return shortList(fields, text) || "no columns";
}

/**
 * Returns the index of the only column or array with a name.
 * @param option option and value, for the message
 * @param advice text appended to the message
 * @throws LogitsColumnError
 */
export function indexOfName(
  items: NamedItems,
  option: string,
  name: string,
  advice = "",
): number {
  const indices = matchName(name, items.names).indices;
  if (indices.length !== 1) throw matchError(items, option, indices, advice);
  return indices[0] as number;
}

function matchError(
  { path, kind, list }: NamedItems,
  option: string,
  indices: readonly number[],
  advice = "",
): LogitsColumnError {
  const problem =
    indices.length === 0
      ? `no such ${kind}; the file has ${list()}`
      : `${indices.length} ${kind}s have this name`;
  return new LogitsColumnError(path, `${option}: ${problem}${advice}`);
}

/**
 * Returns the indices of the columns or arrays that `keep` names, in that order.
 * @param ownNames names of the output's other columns
 * @throws LogitsColumnError, UsageError
 */
export function copiedIndices(
  items: NamedItems,
  keep: readonly string[],
  ownNames: readonly string[],
): number[] {
  const { path, names } = items;
  const chosen = findNames(keep, names).flatMap(
    ({ text, indices, isPattern }) => {
      if (indices.length === 0 || (indices.length > 1 && !isPattern))
        throw matchError(items, `--keep ${text}`, indices);
      return indices;
    },
  );
  const seen = new Set<string>();
  for (const index of chosen) {
    const name = names[index] as string;
    if (ownNames.includes(name))
      throw new LogitsColumnError(
        path,
        `--keep ${name}: the output has a column ${name} of its own`,
      );
    if (seen.has(name)) throw new UsageError(`keep: ${name} is given twice`);
    seen.add(name);
  }
  return chosen;
}

/** Finds the columns or arrays that --columns lists. @throws LogitsColumnError */
export function findListed(
  items: NamedItems,
  list: string,
  flag = "--columns",
): NamedColumns[] {
  const columns = findNames(splitNames(list), items.names);
  const missing = columns.find(({ indices }) => indices.length === 0);
  if (missing) throw matchError(items, `${flag} ${missing.text}`, []);
  return columns;
}

/** Name or pattern from an option, and the columns that match it. */
export interface NamedColumns {
  text: string;
  /** Indices of the columns in the file; empty if none matches. */
  indices: number[];
  isPattern: boolean;
}

/** Maximum number of pieces that are joined to one name; a name with more commas needs backslashes. */
const MAX_PIECES = 8;

/** Splits a list of names at its commas; `\,` is a comma of a name, and `\\` a backslash before one. */
export function splitNames(text: string): string[] {
  const pieces = text.match(/(?:\\[\\,]|[^,])+/g) ?? [];
  return pieces.map((piece) => piece.replace(/\\([\\,])/g, "$1"));
}

/**
 * Finds the columns that match a list of names and patterns, in the order of the list. Pieces of which some match no column
 * are joined to names that contain commas. A name takes precedence over a pattern.
 * @param pieces the list, split at its commas
 * @param names the names of the file's columns
 */
export function findNames(
  pieces: readonly string[],
  names: readonly string[],
): NamedColumns[] {
  const found: NamedColumns[] = [];
  const match = (texts: readonly string[]) =>
    firstMatch(texts, (text) => matchName(text, names)) ??
    firstMatch(texts, (text) => matchPattern(text, names));
  const isList = pieces.every((piece) => match([piece]) !== null);
  for (let from = 0; from < pieces.length; ) {
    const max = isList ? 1 : Math.min(MAX_PIECES, pieces.length - from);
    const texts = Array.from({ length: max }, (_, k) =>
      pieces.slice(from, from + max - k).join(","),
    );
    const text = texts.at(-1)?.trim() ?? "";
    const none = { text, indices: [], isPattern: false };
    const [count, columns] = match(texts) ?? [1, none];
    found.push(columns);
    from += count;
  }
  return found;
}

/** Returns the columns of the first text that matches any, and its number of pieces. */
function firstMatch(
  texts: readonly string[],
  find: (text: string) => NamedColumns,
): [pieces: number, columns: NamedColumns] | null {
  for (const [k, text] of texts.entries())
    for (const name of new Set([text, text.trim()])) {
      const columns = find(name);
      if (columns.indices.length > 0) return [texts.length - k, columns];
    }
  return null;
}

function matchName(text: string, names: readonly string[]): NamedColumns {
  const indices = names.flatMap((name, k) => (name === text ? [k] : []));
  return { text, indices, isPattern: false };
}

/** Matches whole names: `*` matches any characters, `?` any one character. */
function matchPattern(text: string, names: readonly string[]): NamedColumns {
  if (!/[*?]/.test(text)) return { text, indices: [], isPattern: false };
  const source = text.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  const expression = new RegExp(
    `^${source.replace(/\*/g, ".*").replace(/\?/g, ".")}$`,
    "su",
  );
  const indices = names.flatMap((name, k) =>
    expression.test(name) ? [k] : [],
  );
  return {
    text,
    indices: orderedByNumber(indices, (k) => names[k] as string),
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
