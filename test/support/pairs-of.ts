/** Returns the pairs of lines of a text: what is given, and what answers it. */
export function pairsOf(text: string): [given: string, answer: string][] {
  const lines = text.trim().split("\n");
  if (lines.length % 2) throw new Error("a line has no answer");
  return lines.flatMap((line, n): [string, string][] =>
    n % 2 ? [] : [[line, lines[n + 1] as string]],
  );
}
