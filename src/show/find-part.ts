import { RowMissingError, UsageError } from "../errors.js";
import type { FoundResults } from "../output-rows/find-results.js";

/** The file that has a row, and its input as the dataset names it. @throws UsageError, RowMissingError */
export function findPart(
  { path, parts, manifest }: FoundResults,
  row: number,
  input: string | undefined,
): { path: string; input: string | null } {
  const [first] = parts;
  if (!manifest) {
    if (input !== undefined)
      throw new UsageError(
        `input: only a dataset has several inputs; ${path} is a file`,
        "input",
      );
    return first as FoundResults["parts"][number];
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
  const n = manifest.parts.findIndex(
    (part) => part.input === at && part.rowStart <= row && row < part.rowEnd,
  );
  if (n < 0)
    throw new RowMissingError(
      path,
      row,
      `${wanted} has only ${manifest.inputs[at]?.rows} rows`,
    );
  return parts[n] as FoundResults["parts"][number];
}

function listOf(names: readonly string[]): string {
  const more = names.length - 5;
  return more > 0
    ? `${names.slice(0, 5).join(", ")} and ${more} more`
    : names.join(", ");
}
