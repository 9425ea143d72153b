import { count } from "../../number-text.js";

/** Whose classes these are, where they are not all. */
export function whichOf(shown: number, all: number): string {
  return shown < all
    ? `The ${count(shown)} of ${count(all)} classes with the largest mean J[k,k]`
    : all === 1
      ? "The one class"
      : `All ${count(all)} classes`;
}
