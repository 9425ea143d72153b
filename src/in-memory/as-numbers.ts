/**
 * Returns the value of an auxiliary input as a number; NaN for everything that is not a number, such as null, which JavaScript
 * would convert to 0.
 */
export function asNumber(value: unknown): number {
  if (typeof value === "number") return value;
  return typeof value === "bigint" ? Number(value) : Number.NaN;
}

/** Returns the values of an auxiliary input as numbers. */
export function asNumbers(values: ArrayLike<unknown>): Float64Array {
  return Float64Array.from(values, asNumber);
}
