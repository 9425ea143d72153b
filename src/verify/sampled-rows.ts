import { InputFormatError } from "../errors.js";
import type { FileBatch } from "../reader/file-batches.js";
import { RowIndex, type RowPosition } from "../reader/row-index.js";
import { cellsOf, reportStrays } from "./all-rows.js";
import { type ComparedFile, checkAborted } from "./compared-file.js";
import { readStoredRows } from "./stored-rows.js";

/** Judges some rows, ascending, of a file that has a table row for each: every one is looked up. */
export async function judgeSampledRows(
  file: ComparedFile,
  rows: Float64Array,
): Promise<void> {
  const { run, batches, columns, judge, input, source } = file;
  const index = new RowIndex(source, batches, { strict: true });
  let done = 0;
  for (const row of rows) {
    checkAborted(file);
    await input.load(row, row + 1);
    const at = await lookUp(file, index, row);
    if (at?.row === row) {
      const parts = await readStoredRows(
        source,
        batches[at.batch] as FileBatch,
        columns,
        { start: at.k, end: at.k + 1, numbers: Float64Array.of(row) },
        run,
      );
      judge.present(row, cellsOf(parts, 0));
      reportStrays(file, parts, 0, row);
    } else judge.absent(row);
    file.onProgress(++done);
  }
}

/** Row numbers that do not ascend are a finding. */
export async function lookUp(
  { findings }: ComparedFile,
  index: RowIndex,
  row: number,
): Promise<RowPosition | null> {
  try {
    return await index.lowerBound(row);
  } catch (error) {
    if (!(error instanceof InputFormatError)) throw error;
    findings.add(`row ${row}: ${error.message}`);
    return null;
  }
}
