import { isUtf8 } from "node:buffer";
import type { Field } from "./field.js";

/** Returns whether the values of a column, or of its dictionary, are stored as UTF-8. */
export function storesUtf8({ type }: Field): boolean {
  return type.kind === "Utf8" || type.kind === "LargeUtf8";
}

/** Returns the first of `count` texts that is not UTF-8 by itself, or -1. Text k is from byte `start(k)` to `start(k + 1)`. */
export function firstNotUtf8(
  bytes: Uint8Array,
  count: number,
  start: (k: number) => number,
): number {
  let k = 0;
  // Faster than text by text: the bytes are valid, and no text starts inside a character.
  if (isUtf8(bytes))
    while (k < count && ((bytes[start(k)] ?? 0) & 0xc0) !== 0x80) k++;
  if (k === count) return -1;
  for (k = 0; isUtf8(bytes.subarray(start(k), start(k + 1))); ) k++;
  return k;
}
