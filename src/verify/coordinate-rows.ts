import type { FileBatch } from "../reader/file-batches.js";
import { ReadAhead } from "../reader/read-ahead.js";
import { RowIndex, type RowPosition } from "../reader/row-index.js";
import { hold } from "./all-rows.js";
import { type ComparedFile, checkAborted } from "./compared-file.js";
import { EntryCells } from "./entry-cells.js";
import { RowNumbers } from "./row-numbers.js";
import { lookUp } from "./sampled-rows.js";
import { readStoredRows } from "./stored-rows.js";

/** Judges every row of a file that has a table row for each entry, from front to back. */
export async function judgeAllCoordinates(file: ComparedFile): Promise<void> {
  const { run, batches, columns, chunkRows, judge, findings } = file;
  const numbersOf = new RowNumbers(new ReadAhead(file.source), batches, {
    rows: run.rows,
    strict: false,
    findings,
  });
  const cells = new EntryCells(columns, findings);
  let current = -1;
  /** Judges the row that has been gathered, and those before the next that has entries. */
  const finish = async (following: number) => {
    if (current >= 0) {
      await hold(file, current);
      judge.present(current, cells.take());
    }
    for (let row = current + 1; row < following; row++) {
      await hold(file, row);
      judge.absent(row);
    }
    current = following;
  };
  for (const [b, batch] of batches.entries()) {
    for (let start = 0; start < batch.count; start += chunkRows) {
      checkAborted(file);
      const end = Math.min(start + chunkRows, batch.count);
      const numbers = await numbersOf.read(b, start, end);
      const parts = await readStoredRows(
        file.source,
        batch,
        columns,
        { start, end, numbers },
        run,
      );
      let from = 0;
      while (from < numbers.length) {
        const row = numbers[from] as number;
        let to = from + 1;
        while (to < numbers.length && numbers[to] === row) to++;
        if (!Number.isNaN(row)) {
          if (row !== current) await finish(row);
          cells.add(row, parts, from, to);
        }
        from = to;
      }
      file.onProgress(Math.max(0, current));
    }
  }
  await finish(run.rows);
  file.onProgress(run.rows);
}

/** The same for some rows, ascending, each looked up. */
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
    const from = await lookUp(file, index, row);
    const to = await lookUp(file, index, row + 1);
    for (const { batch, start, end } of rangesBetween(batches, from, to)) {
      const numbers = new Float64Array(end - start).fill(row);
      const at = { start, end, numbers };
      const found = batches[batch] as FileBatch;
      const parts = await readStoredRows(source, found, columns, at, run);
      cells.add(row, parts, 0, end - start);
    }
    if (from?.row === row) judge.present(row, cells.take());
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
