// Text from files, environments and services can hold control characters that move a terminal's cursor, forge a line of
// a log, or reverse the reading order. Everything that is shown passes through here.

/** C0 and C1 controls, DEL, bidirectional controls, line and paragraph separators, byte order marks, lone surrogates. */
const UNSAFE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|\p{Surrogate}/gu;

const SHORT: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** The longest message, in bytes of UTF-8. */
const MESSAGE_BYTES = 2000;

/** The longest name in a message, in characters. */
const NAME_CHARACTERS = 80;

/** The most items of a list in a message. */
const LIST_ITEMS = 10;

/** Returns `text` on one line with every character escaped that could act on a terminal: ESC becomes \x1b. */
export function printable(text: string): string {
  return text.replace(UNSAFE, (found) => SHORT[found] ?? escaped(found));
}

/** Returns text of several lines in the same way; its line breaks stay. */
export function printableLines(text: string): string {
  return text.replace(UNSAFE, (found) =>
    found === "\n" ? found : (SHORT[found] ?? escaped(found)),
  );
}

/** Returns a name or value from outside for a message: escaped, and cut after 80 characters. */
export function shortName(name: string): string {
  // Each escape is longer than what it stands for, so that cutting first bounds the work.
  const characters = Array.from(name.slice(0, 4 * NAME_CHARACTERS));
  const isWhole =
    characters.length <= NAME_CHARACTERS && name.length <= 4 * NAME_CHARACTERS;
  return printable(
    isWhole ? name : `${characters.slice(0, NAME_CHARACTERS - 1).join("")}…`,
  );
}

/** Returns items of a list for a message: at most ten, and the number of those that are left out. */
export function shortList<Item>(
  items: readonly Item[],
  text: (item: Item) => string = String,
): string {
  const more = items.length - LIST_ITEMS;
  return [
    ...items.slice(0, LIST_ITEMS).map(text),
    ...(more > 0 ? [`and ${more} more`] : []),
  ].join(", ");
}

/** Returns any value of a caller for a message: text in quotes, of long or nested ones the type and the length. */
export function shortValue(value: unknown): string {
  switch (typeof value) {
    case "undefined":
      return "nothing";
    case "string":
      return `"${shortName(value)}"`;
    case "bigint":
      return `${shortName(String(value))}n`;
    case "symbol":
    case "function":
      return `a ${typeof value}`;
    case "object":
      return value === null ? "null" : shortObject(value);
    default:
      return String(value);
  }
}

function shortObject(value: object): string {
  if (Array.isArray(value)) {
    const isShort = value.length <= LIST_ITEMS && value.every(isShortItem);
    return isShort
      ? `[${shortList(value, shortValue)}]`
      : `an array of ${value.length} values`;
  }
  const type = shortName(String(value.constructor?.name ?? "Object"));
  if (ArrayBuffer.isView(value) && "length" in value)
    return `${type} of ${value.length} values`;
  return type === "Object" ? "an object" : `an object of type ${type}`;
}

function isShortItem(value: unknown): boolean {
  return typeof value !== "object" || value === null;
}

/** Returns a message on one line, escaped; of one over 2,000 bytes, beginning and end. */
export function messageText(text: string): string {
  // A character is a byte at least.
  const start = printable(text.slice(0, MESSAGE_BYTES + 1));
  if (text.length <= MESSAGE_BYTES && Buffer.byteLength(start) <= MESSAGE_BYTES)
    return start;
  const end = printable(text.slice(-MESSAGE_BYTES));
  return `${within(start, 1400)} … ${within(end, -500)}`;
}

/** Returns lines of JSON that read back as the same values, with escapes in place of what could act on a terminal. */
export function printableJson(json: string): string {
  return json.replace(UNSAFE, (found) =>
    found === "\n"
      ? found
      : `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Returns the first (`bytes` negative: the last) characters of a text that take so many bytes. */
function within(text: string, bytes: number): string {
  const all = Buffer.from(text);
  const part = bytes < 0 ? all.subarray(bytes) : all.subarray(0, bytes);
  // A character that was cut becomes U+FFFD.
  return part.toString().replace(/^\ufffd+|\ufffd+$/g, "");
}

function escaped(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, "0")}`
    : `\\u${code.toString(16).padStart(4, "0")}`;
}

/** Returns an index as messages name it: `row 3, position 7`. */
export function indexName([row, ...positions]: readonly number[]): string {
  const names = positionNames(positions);
  return [
    `row ${row}`,
    ...positions.map((position, k) => `${names[k]} ${position}`),
  ].join(", ");
}

/** Returns the names of the index columns after `row`. */
export function positionNames(inner: readonly number[]): string[] {
  return inner.length === 1
    ? ["position"]
    : inner.map((_, k) => `position_${k + 1}`);
}
