import { InputFormatError } from "../errors.js";
import type { FileBatch } from "../reader/file-batches.js";
import { RowIndex, type RowPosition } from "../reader/row-index.js";
import { readStoredRows } from "../reader/stored-rows.js";
import { type ComparedFile, checkAborted } from "./compared-file.js";
import { EntryCells } from "./entry-cells.js";
import { judgeStored } from "./judge-stored.js";

/** Checks some rows, ascending, of a file with one table row per row: each is looked up. */
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

/** Checks some rows, ascending, of a file with one table row per entry: each is looked up. */
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

/** Returns the table rows from one position to before another, batch by batch. */
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

/** The first table row of the key of a row, or of one after it. Row numbers that do not ascend are a finding. */
async function lookUpRow(
  { findings }: ComparedFile,
  index: RowIndex,
  row: number,
  key: number,
): Promise<RowPosition | null> {
  try {
    return await index.lowerBound(key);
  } catch (error) {
    if (!(error instanceof InputFormatError)) throw error;
    findings.add(`${findings.nameOfRow(row)}: ${error.message}`);
    return null;
  }
}

/**
 * Returns `count` of the rows 0 to rows - 1 in ascending order: the first, the last and a random sample of the others
 * (Floyd's algorithm), which depends only on the seed. Returns all rows if there are no more than `count`.
 */
export function sampleRows(
  rows: number,
  count: number,
  seed: number,
): Float64Array {
  if (count >= rows) return Float64Array.from({ length: rows }, (_, r) => r);
  const draw = draws(seed);
  const chosen = new Set([0, rows - 1]);
  const inner = rows - 2;
  for (let last = inner - Math.max(0, count - 2); last < inner; last++) {
    const row = 1 + Math.floor(draw() * (last + 1));
    chosen.add(chosen.has(row) ? last + 1 : row);
  }
  return Float64Array.from(chosen).sort();
}

/** Returns a generator of numbers in [0, 1) with 53 bits, each from two words of mulberry32. */
function draws(seed: number): () => number {
  let state = seed >>> 0;
  const word = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
  return () => ((word() >>> 5) * 2 ** 26 + (word() >>> 6)) / 2 ** 53;
}
