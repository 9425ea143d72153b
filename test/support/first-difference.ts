import { expect } from "vitest";

type Values = ArrayLike<unknown> | number | bigint | string | null | undefined;

/**
 * Asserts equal numbers in nested arrays, and reports the first difference. toEqual takes seconds for a million numbers,
 * because it prepares a list of all differences.
 */
export function expectSameValues(
  found: Values,
  expected: Values,
  where = "",
): void {
  expect(firstDifference(found, expected), where).toBe(null);
}

/** Returns the first difference by Object.is, or null. */
function firstDifference(
  found: unknown,
  expected: unknown,
  at = "",
): string | null {
  if (!isArray(found) || !isArray(expected))
    return Object.is(found, expected)
      ? null
      : `${at}: expected ${expected}, found ${found}`;
  if (found.length !== expected.length)
    return `${at}: expected ${expected.length} values, found ${found.length}`;
  for (let k = 0; k < found.length; k++)
    if (!Object.is(found[k], expected[k])) {
      const difference = firstDifference(found[k], expected[k], `${at}[${k}]`);
      if (difference) return difference;
    }
  return null;
}

function isArray(values: unknown): values is ArrayLike<unknown> {
  return Array.isArray(values) || ArrayBuffer.isView(values);
}
