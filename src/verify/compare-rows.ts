import { AbortedError } from "../errors.js";
import type { InputRows } from "../input/input-rows.js";
import { interpreting, interpretingEach } from "../input/interpreting.js";
import type { StoredRow, StoredRows } from "../reader/stored-rows.js";
import type { StoredBatch } from "../reader/stored-table.js";
import {
  keyOfIndex,
  nameOfKey,
  type RowAxes,
  rowIndices,
} from "../results/row-axes.js";
import type { CheckContext } from "./column-check.js";
import type { RowChecker } from "./row-checker.js";

export interface Comparison extends CheckContext {
  /** Path of the results. */
  output: string;
  stored: StoredRows;
  input: InputRows;
  axes: RowAxes;
  checker: RowChecker;
  signal: AbortSignal | undefined;
  onProgress(rowsDone: number): void;
}

export async function compareAllRows(comparison: Comparison): Promise<void> {
  const { output, run, stored, input, checker, problems, signal } = comparison;
  const { batches, inner } = stored.table;
  const keyOf = rowKeys(comparison);
  let next = run.rowStart;
  const compare = async (storedRow: StoredRow | null) => {
    if (!input.holds(next))
      await input.load(next, Math.min(next + stored.chunkRows, run.rows));
    checker.check(next++, storedRow);
  };
  const scan = stored.scan();
  for await (const rows of interpretingEach(output, "results", scan)) {
    if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
    for (const storedRow of rows) {
      const key = storedRow.row;
      while (next < run.rowEnd && keyOf(next) < key) await compare(null);
      if (next < run.rowEnd && keyOf(next) === key) await compare(storedRow);
      else {
        const { start } = batches[storedRow.batch] as StoredBatch;
        problems.add(
          `table row ${start + storedRow.index}: the input has no ${nameOfKey(inner, key)}`,
        );
      }
    }
    comparison.onProgress(next - run.rowStart);
  }
  while (next < run.rowEnd) await compare(null);
  comparison.onProgress(run.rowEnd - run.rowStart);
}

/** Compares some rows, ascending, and looks up each. */
export async function compareSampledRows(
  comparison: Comparison,
  rows: Float64Array,
): Promise<void> {
  const { output, run, stored, input, checker, problems, signal } = comparison;
  const { table } = stored;
  const keyOf = rowKeys(comparison);
  const rowsOfFile = run.rowEnd - run.rowStart;
  if (!table.isCoo && table.count > rowsOfFile)
    problems.add(
      `expected at most ${rowsOfFile} table rows, one per row, found ${table.count}`,
    );
  for (const [done, row] of rows.entries()) {
    if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
    await input.load(row, row + 1);
    const storedRow = await interpreting(output, "results", () =>
      stored.find(keyOf(row)),
    );
    checker.check(row, storedRow);
    comparison.onProgress(done + 1);
  }
}

/** Rows per read of indices. */
const KEYS_PAGE = 4096;

/** Returns a function from a row of the input to its key (src/results/row-axes.ts). */
function rowKeys({ axes, run }: Comparison): (row: number) => number {
  if (axes.fd === null) return (row) => row;
  let start = -1;
  let page: Float64Array[] = [];
  return (row) => {
    const first = row - (row % KEYS_PAGE);
    if (first !== start)
      page = rowIndices(axes, first, Math.min(first + KEYS_PAGE, run.rows));
    start = first;
    const index = page.map((column) => column[row - first] as number);
    return keyOfIndex(axes.inner, index);
  };
}

/**
 * Returns `count` of the rows [0, rows) in ascending order: the first, the last and a random sample of the others, which
 * depends only on the seed. Returns all rows if there are no more than `count`.
 */
export function sampleRows(
  rows: number,
  count: number,
  seed: number,
): Float64Array {
  if (count >= rows) return Float64Array.from({ length: rows }, (_, r) => r);
  const random = randomNumbers(seed);
  const sample = new Set([0, rows - 1]);
  while (sample.size < count) sample.add(Math.floor(random() * rows));
  return Float64Array.from(sample).sort();
}

/** Returns a generator of numbers in [0, 1) with 53 random bits, each from two words of mulberry32. */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  const word = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
  return () => ((word() >>> 5) * 2 ** 26 + (word() >>> 6)) / 2 ** 53;
}
