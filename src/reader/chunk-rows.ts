import type { StoredRun } from "../results/run-metadata.js";
import type { FoundColumn } from "./output-columns.js";

/** Bytes of results that are held at once, unless one row has more. */
const CHUNK_BYTES = 1 << 20;

/** How many table rows are read at once. */
export function chunkRowsOf(
  { classes, topK }: StoredRun,
  columns: readonly FoundColumn[],
): number {
  const entries = Math.min(classes * classes, topK || Infinity);
  let bytes = 8;
  for (const { listSize, dense } of columns)
    bytes += 8 * (dense ? classes * classes : (listSize ?? entries));
  return Math.max(1, Math.floor(CHUNK_BYTES / bytes));
}
