import { InputFormatError } from "../errors.js";
import type { ByteSource } from "./byte-source.js";
import type { FileBatch } from "./file-batches.js";
import { RowIndex } from "./row-index.js";

/**
 * M, the rows of the logits: what is said of it, else the last row number and 1. `strict`: each row number stands once.
 * @throws InputFormatError where the row numbers do not fit it, or each other
 */
export async function rowsOfFile(
  path: string,
  source: ByteSource,
  batches: readonly FileBatch[],
  said: number | undefined,
  { strict }: { strict: boolean },
): Promise<number> {
  const end = batches.at(-1);
  if (!end) return said ?? 0;
  const index = new RowIndex(source, batches, { strict });
  const { first } = await index.ends(0);
  const { last } = await index.ends(batches.length - 1);
  const count = end.start + end.count;
  if (strict && last - first < count - 1)
    throw end.row.error(
      `expected ${count} ascending row numbers, found ${first} first and ${last} last`,
    );
  if (said !== undefined && last >= said)
    throw new InputFormatError(
      path,
      "column row",
      `expected row numbers below ${said} (from softjac.rows or the option), found ${last}`,
    );
  return said ?? last + 1;
}
