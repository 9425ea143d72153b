import { ReadAhead } from "../reader/read-ahead.js";
import { type ComparedFile, checkAborted } from "./compared-file.js";
import type { StoredCells } from "./row-judge.js";
import { RowNumbers } from "./row-numbers.js";
import { readStoredRows } from "./stored-rows.js";

/** Judges every row of a file that has a table row for each, from front to back. */
export async function judgeAllRows(file: ComparedFile): Promise<void> {
  const { run, batches, columns, chunkRows, judge, findings } = file;
  const numbersOf = new RowNumbers(new ReadAhead(file.source), batches, {
    rows: run.rows,
    strict: true,
    findings,
  });
  let next = 0;
  const absentUntil = async (row: number) => {
    for (; next < row; next++) {
      await hold(file, next);
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
        if (!file.input.holds(row)) await hold(file, row);
        judge.present(row, cellsOf(parts, n));
        reportStrays(file, parts, n, row);
        next = row + 1;
      }
      file.onProgress(next);
    }
  }
  await absentUntil(run.rows);
  file.onProgress(run.rows);
}

/** The same for some rows, ascending, each looked up. */
export function cellsOf(
  parts: Awaited<ReturnType<typeof readStoredRows>>,
  n: number,
): StoredCells {
  return parts.map((part) => (part.isNull(n) ? null : part.values(n)));
}

/** Reads on from a row of the input, where it is not held. */
export async function hold(
  { input, run, chunkRows }: ComparedFile,
  row: number,
): Promise<void> {
  if (!input.holds(row))
    await input.load(row, Math.min(row + chunkRows, run.rows));
}

export function reportStrays(
  { findings, columns }: ComparedFile,
  parts: Awaited<ReturnType<typeof readStoredRows>>,
  n: number,
  row: number,
): void {
  parts.forEach((part, k) => {
    const stray = part.stray?.(n);
    if (stray)
      findings.add(
        `row ${row}: column ${columns[k]?.name}: expected 0 outside of [i, ${row}, j], found ${stray.value} at [${stray.place.join(", ")}]`,
      );
  });
}
