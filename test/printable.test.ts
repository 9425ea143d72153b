import { expect, test } from "vitest";
import {
  messageText,
  printable,
  printableJson,
  printableLines,
  shortList,
  shortName,
} from "../src/printable.js";

const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, k) => from + k);
const CONTROLS = [
  ...[...range(0, 0x1f), ...range(0x7f, 0x9f), 0x061c, 0x200e, 0x200f],
  ...[...range(0x2028, 0x202e), ...range(0x2066, 0x2069), 0xfeff],
  ...[0xdfff, 0xd800],
].map((code) => String.fromCharCode(code));

test("printable escapes every character that can act on a terminal", () => {
  for (const control of CONTROLS)
    expect(printable(`a${control}b`)).toMatch(
      /^a\\(?:[nrt]|x[0-9a-f]{2}|u[0-9a-f]{4})b$/,
    );
  expect(printable("\x1b[31mred\r\n\u202e")).toBe("\\x1b[31mred\\r\\n\\u202e");
  expect(printableLines("a\nb\r\tc")).toBe("a\nb\\r\\tc");
});

test("printable keeps all other text, pairs of surrogates included", () => {
  const text = "naïve 漢字 🙂 {}\\ \"'";
  expect(printable(text)).toBe(text);
  expect(printableJson(JSON.stringify(text))).toBe(JSON.stringify(text));
});

test.each([
  ["x".repeat(80), "x".repeat(80)],
  ["x".repeat(81), `${"x".repeat(79)}…`],
  ["🙂".repeat(1e6), `${"🙂".repeat(79)}…`],
  ["a\x07", "a\\x07"],
])("shortName cuts after 80 characters, not inside one: %#", (name, short) => {
  expect(shortName(name)).toBe(short);
});

test("shortList has ten items and counts the others", () => {
  const ten = "0, 1, 2, 3, 4, 5, 6, 7, 8, 9";
  expect(shortList(range(0, 9))).toBe(ten);
  expect(shortList(range(0, 2999))).toBe(`${ten}, and 2990 more`);
});

test("messageText keeps the beginning and the end of a long message, in at most 2,000 bytes", () => {
  for (const filling of ["x", "é", "🙂", "\x1b"]) {
    const text = messageText(
      `file.arrow: ${filling.repeat(1e6)}: choose with --column`,
    );
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(2000);
    expect(Buffer.byteLength(text)).toBeGreaterThan(1800);
    expect(text).toMatch(/^file\.arrow: .* … .*: choose with --column$/u);
    expect(printable(text)).toBe(text);
  }
  expect(messageText("short")).toBe("short");
  expect(messageText("é".repeat(1000))).toBe("é".repeat(1000));
});

test("printableJson is safe and parses to the same value", () => {
  const value = { [`key${CONTROLS.slice(0, -2).join("")}`]: CONTROLS.join("") };
  const text = printableJson(JSON.stringify(value, null, 2));
  expect(printableLines(text)).toBe(text);
  expect(JSON.parse(text)).toEqual(value);
});
