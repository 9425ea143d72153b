import type { FileBatch } from "../reader/file-batches.js";
import { RowIndex, type RowPosition } from "../reader/row-index.js";
import { type ComparedFile, checkAborted } from "./compared-file.js";
import { EntryCells } from "./entry-cells.js";
import { lookUpRow } from "./look-up-row.js";
import { readStoredRows } from "./stored-rows.js";

/** Judges some rows, ascending, of a file that has a table row for each entry: every one is looked up. */
export async function judgeSampledCoordinates(
  file: ComparedFile,
  rows: Float64Array,
): Promise<void> {
  const { batches, columns, judge, input, source, run, findings } = file;
  const index = new RowIndex(source, batches, { strict: false });
  const cells = new EntryCells(columns, findings);
  let done = 0;
  for (const row of rows) {
    checkAborted(file);
    await input.load(row, row + 1);
    const key = file.keys.key(row);
    const from = await lookUpRow(file, index, row, key);
    const to = await lookUpRow(file, index, row, key + 1);
    for (const { batch, start, end } of rangesBetween(batches, from, to)) {
      const numbers = new Float64Array(end - start).fill(row);
      const at = { start, end, numbers };
      const found = batches[batch] as FileBatch;
      const parts = await readStoredRows(source, found, columns, at, run);
      cells.add(row, parts, 0, end - start);
    }
    if (from?.row === key) judge.present(row, cells.take());
    else judge.absent(row);
    file.onProgress(++done);
  }
}

/** The table rows from one to before another, batch by batch. */
function rangesBetween(
  batches: readonly FileBatch[],
  from: RowPosition | null,
  to: RowPosition | null,
): { batch: number; start: number; end: number }[] {
  if (!from) return [];
  const last = to?.batch ?? batches.length - 1;
  const ranges = [];
  for (let batch = from.batch; batch <= last; batch++) {
    const start = batch === from.batch ? from.k : 0;
    const { count } = batches[batch] as FileBatch;
    const end = batch === to?.batch ? to.k : count;
    if (end > start) ranges.push({ batch, start, end });
  }
  return ranges;
}
