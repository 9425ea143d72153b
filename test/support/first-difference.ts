import { expect } from "vitest";

type Values = ArrayLike<unknown> | number | bigint | string | null | undefined;

/**
 * Expects equal numbers in arrays of any depth, and names the first that differs. toEqual takes seconds for a million
 * numbers, since it prepares to list all that differ.
 */
export function expectSameValues(
  found: Values,
  expected: Values,
  where = "",
): void {
  expect(firstDifference(found, expected), where).toBe(null);
}

/** null: the values are the same, as Object.is judges. */
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
