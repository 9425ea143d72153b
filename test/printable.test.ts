import { describe, expect, test } from "vitest";
import {
  messageText,
  printable,
  printableJson,
  printableLines,
  shortList,
  shortName,
} from "../src/printable.js";

const CONTROLS = [
  ...Array.from({ length: 0x20 }, (_, code) => code),
  0x7f,
  ...Array.from({ length: 0x20 }, (_, code) => 0x80 + code),
  0x061c,
  0x200e,
  0x200f,
  0x2028,
  0x2029,
  0x202a,
  0x202b,
  0x202c,
  0x202d,
  0x202e,
  0x2066,
  0x2067,
  0x2068,
  0x2069,
  0xfeff,
  0xdfff,
  0xd800,
].map((code) => String.fromCharCode(code));

const isSafe = (text: string) =>
  !CONTROLS.some((control) => text.includes(control));

describe("printable", () => {
  test("escapes every character that can act on a terminal", () => {
    for (const control of CONTROLS) {
      const text = printable(`a${control}b`);
      expect(text).toMatch(/^a\\(?:[nrt]|x[0-9a-f]{2}|u[0-9a-f]{4})b$/);
    }
    expect(printable("\x1b[31mred\r\n\u202e")).toBe(
      "\\x1b[31mred\\r\\n\\u202e",
    );
  });

  test("leaves all other text as it is, pairs of surrogates included", () => {
    const text = "naïve 漢字 🙂 {}\\ \"'";
    expect(printable(text)).toBe(text);
    expect(printableJson(JSON.stringify(text))).toBe(JSON.stringify(text));
  });

  test("lines: line breaks stay, and nothing else", () => {
    expect(printableLines("a\nb\r\tc")).toBe("a\nb\\r\\tc");
  });
});

test("shortName cuts after 80 characters, not inside one", () => {
  expect(shortName("x".repeat(80))).toBe("x".repeat(80));
  expect(shortName("x".repeat(81))).toBe(`${"x".repeat(79)}…`);
  expect(shortName("🙂".repeat(1e6))).toBe(`${"🙂".repeat(79)}…`);
  expect(shortName("a\x07")).toBe("a\\x07");
});

test("shortList has ten items and counts the others", () => {
  const items = Array.from({ length: 3000 }, (_, n) => `c${n}`);
  expect(shortList(items.slice(0, 10))).toBe(
    "c0, c1, c2, c3, c4, c5, c6, c7, c8, c9",
  );
  expect(shortList(items)).toBe(
    "c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, and 2990 more",
  );
});

test("messageText keeps the beginning and the end of a long message, in at most 2,000 bytes", () => {
  for (const filling of ["x", "é", "🙂", "\x1b"]) {
    const text = messageText(
      `file.arrow: ${filling.repeat(1e6)}: choose with --column`,
    );
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(2000);
    expect(Buffer.byteLength(text)).toBeGreaterThan(1800);
    expect(text).toMatch(/^file\.arrow: .* … .*: choose with --column$/u);
    expect(isSafe(text)).toBe(true);
    expect(text).not.toMatch(/\p{Surrogate}/u);
  }
  expect(messageText("short")).toBe("short");
  expect(messageText("é".repeat(1000))).toBe("é".repeat(1000));
});

test("printableJson is safe and reads back as the same value", () => {
  const value = { [`key${CONTROLS.slice(0, -2).join("")}`]: CONTROLS.join("") };
  const text = printableJson(JSON.stringify(value, null, 2));
  expect(isSafe(text.replaceAll("\n", ""))).toBe(true);
  expect(JSON.parse(text)).toEqual(value);
});
