import { expect, test } from "vitest";
import { randomHex } from "../../src/io/temporary-names.js";

test("as many hexadecimal digits as are asked for, other ones each time", () => {
  for (const digits of [1, 6, 12, 18])
    expect(randomHex(digits)).toMatch(new RegExp(`^[0-9a-f]{${digits}}$`));
  const names = Array.from({ length: 10_000 }, () => randomHex(12));
  expect(new Set(names).size).toBe(names.length);
});
