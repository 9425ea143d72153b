import type { FileBatch } from "../reader/file-batches.js";
import { RowIndex } from "../reader/row-index.js";
import { type ComparedFile, checkAborted } from "./compared-file.js";
import { judgeStored } from "./judge-stored.js";
import { lookUpRow } from "./look-up-row.js";
import { readStoredRows } from "./stored-rows.js";

/** Judges some rows, ascending, of a file that has a table row for each: every one is looked up. */
export async function judgeSampledRows(
  file: ComparedFile,
  rows: Float64Array,
): Promise<void> {
  const { run, batches, columns, judge, input, source } = file;
  const index = new RowIndex(source, batches, { strict: true });
  const count = batches.reduce((sum, batch) => sum + batch.count, 0);
  const rowsOfFile = run.rowEnd - run.rowStart;
  if (count > rowsOfFile)
    file.findings.add(
      `expected at most ${rowsOfFile} table rows, one per row, found ${count}`,
    );
  let done = 0;
  for (const row of rows) {
    checkAborted(file);
    await input.load(row, row + 1);
    const key = file.keys.key(row);
    const at = await lookUpRow(file, index, row, key);
    if (at?.row === key) {
      const parts = await readStoredRows(
        source,
        batches[at.batch] as FileBatch,
        columns,
        { start: at.k, end: at.k + 1, numbers: Float64Array.of(row) },
        run,
      );
      judgeStored(file, row, parts, 0);
    } else judge.absent(row);
    file.onProgress(++done);
  }
}
