import { RowMissingError, UsageError } from "../errors.js";
import type { FoundResults } from "../reader/find-results.js";

/**
 * Finds the files that may have a row, and their input as the dataset names it: one, or for a row with positions all of its
 * input. @throws UsageError, RowMissingError
 */
export function findParts(
  { path, parts, manifest }: FoundResults,
  row: number,
  hasPositions: boolean,
  input: string | undefined,
): FoundResults["parts"] {
  const [first] = parts;
  if (!manifest) {
    if (input !== undefined)
      throw new UsageError(
        `input: only a dataset has several inputs; ${path} is a file`,
        "input",
      );
    return [first as FoundResults["parts"][number]];
  }
  const names = manifest.inputs.map(({ name }) => name);
  const wanted = input ?? (names.length === 1 ? names[0] : undefined);
  const at = names.indexOf(wanted ?? "");
  if (at < 0)
    throw new UsageError(
      input === undefined
        ? `input: ${path} has several inputs; name one of ${listOf(names)}`
        : `input: expected one of the inputs of ${path} (${listOf(names)}), found ${input}`,
      "input",
    );
  const found = parts.filter((_, n) => {
    const part = manifest.parts[n];
    if (part?.input !== at) return false;
    return hasPositions || (part.rowStart <= row && row < part.rowEnd);
  });
  if (found.length === 0)
    throw new RowMissingError(
      path,
      row,
      `${wanted} has only ${manifest.inputs[at]?.rows} rows`,
    );
  return found;
}

function listOf(names: readonly string[]): string {
  const more = names.length - 5;
  return more > 0
    ? `${names.slice(0, 5).join(", ")} and ${more} more`
    : names.join(", ");
}
