// Text from files, environments and services can contain control characters that move a terminal's cursor, forge a log
// line or reverse the reading order. All output text is escaped here.

/** C0 and C1 controls, DEL, bidirectional controls, line and paragraph separators, byte order marks, lone surrogates. */
const UNSAFE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the characters to escape
  /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|\p{Surrogate}/gu;

const ESCAPES: Record<string, string> = {
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
};

/** Maximum length of a message, in bytes of UTF-8. */
const MESSAGE_BYTES = 2000;

/** Maximum length of a name in a message, in characters. */
const NAME_CHARACTERS = 80;

/** Maximum number of items of a list in a message. */
const LIST_ITEMS = 10;

/** Escapes all characters that could act on a terminal, line breaks included: ESC becomes \x1b. */
export function printable(text: string): string {
  return text.replace(UNSAFE, (found) => {
    const code = found.charCodeAt(0);
    return (
      ESCAPES[found] ??
      (code < 0x100 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`)
    );
  });
}

/** Escapes like `printable`, except for line breaks. */
export function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}

/** Escapes an untrusted name or value for a message, and cuts it after 80 characters. */
export function shortName(name: string): string {
  // Cut before escaping, so that the work does not depend on the length of the name.
  const characters = Array.from(name.slice(0, 4 * NAME_CHARACTERS));
  const isWhole =
    characters.length <= NAME_CHARACTERS && name.length <= 4 * NAME_CHARACTERS;
  return printable(
    isWhole ? name : `${characters.slice(0, NAME_CHARACTERS - 1).join("")}…`,
  );
}

/** Formats at most ten items of a list for a message, and the number of the others. */
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

/** Formats any value for a message: strings in quotes, long or nested values as their type and length. */
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

/** Escapes a message into one line. A message of more than 2,000 bytes is reduced to its beginning and end. */
export function messageText(text: string): string {
  const start = printable(text.slice(0, MESSAGE_BYTES + 1));
  if (text.length <= MESSAGE_BYTES && Buffer.byteLength(start) <= MESSAGE_BYTES)
    return start;
  const end = printable(text.slice(-MESSAGE_BYTES));
  return `${cutToBytes(start, 1400)} … ${cutToBytes(end, -500)}`;
}

/** Escapes JSON text for a terminal; it parses to the same values. */
export function printableJson(json: string): string {
  return json.replace(UNSAFE, (found) =>
    found === "\n" ? found : `\\u${hex(found.charCodeAt(0), 4)}`,
  );
}

/** Returns the characters in the first `bytes` bytes of a text, or in the last -`bytes` if `bytes` is negative. */
function cutToBytes(text: string, bytes: number): string {
  const all = Buffer.from(text);
  const part = bytes < 0 ? all.subarray(bytes) : all.subarray(0, bytes);
  // A character that was cut becomes U+FFFD.
  return part.toString().replace(/^\ufffd+|\ufffd+$/g, "");
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, "0");
}

/** Formats an index for messages: `row 3, position 7`. */
export function indexName([row, ...positions]: readonly number[]): string {
  const names = ["row", ...positionNames(positions)];
  return [row, ...positions].map((n, k) => `${names[k]} ${n}`).join(", ");
}

/** Returns the names of the index columns after `row`. */
export function positionNames(inner: readonly number[]): string[] {
  return inner.length === 1
    ? ["position"]
    : inner.map((_, k) => `position_${k + 1}`);
}
