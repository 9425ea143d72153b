import { distance } from "fastest-levenshtein";

/**
 * Of some names the one that was probably meant, as the end of a sentence: " (did you mean run?)"; nothing where none is
 * like what was found.
 */
export function didYouMean(found: string, names: readonly string[]): string {
  const [best] = names
    .map((name) => ({ name, edits: editsBetween(found, name) }))
    .sort((a, b) => a.edits - b.edits);
  // A third of the letters may be wrong; of short names one.
  const most = Math.max(1, Math.floor((best?.name.length ?? 0) / 3));
  return best && best.edits <= most ? ` (did you mean ${best.name}?)` : "";
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
