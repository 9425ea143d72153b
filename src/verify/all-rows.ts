import { ReadAhead } from "../reader/read-ahead.js";
import { readStoredRows } from "../reader/stored-rows.js";
import { type ComparedFile, checkAborted, holdInput } from "./compared-file.js";
import { EntryCells } from "./entry-cells.js";
import { judgeStored } from "./judge-stored.js";
import { RowNumbers } from "./row-numbers.js";

/** Judges every row of a file that has a table row for each, from front to back. */
export async function judgeAllRows(file: ComparedFile): Promise<void> {
  const { run, batches, columns, chunkRows, judge, findings } = file;
  const numbersOf = new RowNumbers(new ReadAhead(file.source), batches, {
    keys: file.keys,
    rows: run.rowEnd,
    strict: true,
    findings,
  });
  let next = run.rowStart;
  const absentUntil = async (row: number) => {
    for (; next < row; next++) {
      await holdInput(file, next);
      judge.absent(next);
    }
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
      for (const [n, row] of numbers.entries()) {
        if (Number.isNaN(row)) continue;
        await absentUntil(row);
        if (!file.input.holds(row)) await holdInput(file, row);
        judgeStored(file, row, parts, n);
        next = row + 1;
      }
      file.onProgress(next - run.rowStart);
    }
  }
  await absentUntil(run.rowEnd);
  file.onProgress(run.rowEnd - run.rowStart);
}

/** Judges every row of a file that has a table row for each entry, from front to back. */
export async function judgeAllCoordinates(file: ComparedFile): Promise<void> {
  const { run, batches, columns, chunkRows, judge, findings } = file;
  const numbersOf = new RowNumbers(new ReadAhead(file.source), batches, {
    keys: file.keys,
    rows: run.rowEnd,
    strict: false,
    findings,
  });
  const cells = new EntryCells(columns, findings);
  let current = run.rowStart - 1;
  /** Judges the row that has been gathered, and those before the next that has entries. */
  const finish = async (following: number) => {
    if (current >= run.rowStart) {
      await holdInput(file, current);
      judge.present(current, cells.take());
    }
    for (let row = current + 1; row < following; row++) {
      await holdInput(file, row);
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
      file.onProgress(Math.max(0, current - run.rowStart));
    }
  }
  await finish(run.rowEnd);
  file.onProgress(run.rowEnd - run.rowStart);
}
