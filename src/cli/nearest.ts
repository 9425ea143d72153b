import { distance } from "fastest-levenshtein";

/** Returns the end of a sentence, "; did you mean run?", for the nearest of some names; an empty text if none is near. */
export function didYouMean(found: string, names: readonly string[]): string {
  const name = nearest(found, names);
  return name === null ? "" : `; did you mean ${name}?`;
}

/** Returns the nearest of some names; null where more than two letters, or more than a third of them, differ. */
export function nearest(
  found: string,
  names: readonly string[],
): string | null {
  const [best] = names
    .map((name) => ({ name, edits: editsBetween(found, name) }))
    .sort((a, b) => a.edits - b.edits);
  const most = Math.min(2, Math.floor(found.replace(/^-+/, "").length / 3));
  return best && best.edits <= most ? best.name : null;
}

/** Two letters in each other's place are one mistake of a typist. */
function editsBetween(a: string, b: string): number {
  for (let k = 0; k + 1 < a.length; k++) {
    const swapped =
      a.slice(0, k) + a.charAt(k + 1) + a.charAt(k) + a.slice(k + 2);
    if (swapped === b) return 1;
  }
  return distance(a, b);
}
