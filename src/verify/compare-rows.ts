import { AbortedError, InputFormatError } from "../errors.js";
import type { InputRows } from "../input/input-rows.js";
import { ReadAhead } from "../reader/byte-source.js";
import type { StoredRow, StoredRows } from "../reader/stored-rows.js";
import type {
  ReadNumbers,
  RowRange,
  StoredBatch,
} from "../reader/stored-table.js";
import { keyOfIndex, nameOfKey, type RowAxes } from "../results/row-axes.js";
import { rowIndices } from "../results/row-indices.js";
import type { StoredRun } from "../results/run-metadata.js";
import type { Problems } from "./problems.js";
import type { RowChecker } from "./row-checker.js";

/** An output, the input that its rows are compared with, and the results of the comparison. */
export interface Comparison {
  run: StoredRun;
  stored: StoredRows;
  input: InputRows;
  axes: RowAxes;
  checker: RowChecker;
  problems: Problems;
  signal: AbortSignal | undefined;
  onProgress(rowsDone: number): void;
}

/** Compares every row, front to back. @throws InputFormatError, IoError, AbortedError */
export async function compareAllRows(comparison: Comparison): Promise<void> {
  const { run, stored, input, problems, onProgress } = comparison;
  const { batches, inner } = stored.table;
  const keyOf = rowKeys(comparison);
  let next = run.rowStart;
  const compare = async (found: StoredRow | null) => {
    if (!input.holds(next))
      await input.load(next, Math.min(next + stored.chunkRows, run.rows));
    compareRow(comparison, next++, found);
  };
  for await (const rows of stored.scan(plausibleNumbers(comparison, keyOf))) {
    checkAborted(comparison);
    for (const found of rows) {
      while (next < run.rowEnd && keyOf(next) < found.row) await compare(null);
      if (next < run.rowEnd && keyOf(next) === found.row) await compare(found);
      else {
        const { start } = batches[found.batch] as StoredBatch;
        problems.add(
          `table row ${start + found.index}: the input has no ${nameOfKey(inner, found.row)}`,
        );
      }
    }
    onProgress(next - run.rowStart);
  }
  while (next < run.rowEnd) await compare(null);
  onProgress(run.rowEnd - run.rowStart);
}

/** Compares some rows, ascending: each is looked up. @throws InputFormatError, IoError, AbortedError */
export async function compareSampledRows(
  comparison: Comparison,
  rows: Float64Array,
): Promise<void> {
  const { run, stored, input, problems, onProgress } = comparison;
  const { table } = stored;
  const keyOf = rowKeys(comparison);
  const rowsOfFile = run.rowEnd - run.rowStart;
  if (!table.isCoo && table.count > rowsOfFile)
    problems.add(
      `expected at most ${rowsOfFile} table rows, one per row, found ${table.count}`,
    );
  /** Row numbers that do not ascend are a problem of the row that is looked up. */
  const find = async (row: number): Promise<RowRange[]> => {
    try {
      return await table.find(keyOf(row));
    } catch (error) {
      if (!(error instanceof InputFormatError)) throw error;
      problems.addToRow(row, error.message);
      return [];
    }
  };
  for (const [done, row] of rows.entries()) {
    checkAborted(comparison);
    await input.load(row, row + 1);
    const found = await stored.find(keyOf(row), await find(row));
    compareRow(comparison, row, found);
    onProgress(done + 1);
  }
}

/** Compares a row of the input, which is loaded, with what is stored of it. */
function compareRow(
  { checker, stored, problems }: Comparison,
  row: number,
  found: StoredRow | null,
): void {
  if (!found) {
    checker.absent(row);
    return;
  }
  checker.present(row, found.cells);
  for (const [n, stray] of found.strays.entries())
    if (stray)
      problems.addToRow(
        row,
        `column ${stored.columns[n]?.name}: expected 0 outside of [i, ${row}, j], found ${stray.value} at [${stray.position.join(", ")}]`,
      );
}

function checkAborted({ signal }: Comparison): void {
  if (signal?.aborted) throw new AbortedError({ cause: signal.reason });
}

/** Rows whose indices are read at once. */
const KEYS_PAGE = 4096;

/** Returns a function that returns the key of a row of the input (src/results/row-axes.ts). */
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
 * Returns a function that reads row numbers front to back. A number that does not ascend is a problem, and NaN: of two
 * numbers, the one is wrong that does not fit between its neighbours.
 */
function plausibleNumbers(
  { run, stored, problems }: Comparison,
  keyOf: (row: number) => number,
): ReadNumbers {
  const { table } = stored;
  const { inner, batches, step } = table;
  const source = new ReadAhead(table.source);
  const name = (key: number) =>
    inner.length === 0 ? String(key) : nameOfKey(inner, key);
  const form = inner.length === 0 ? "a row number" : "an index";
  const hasRows = run.rowStart < run.rowEnd;
  const limit = hasRows ? keyOf(run.rowEnd - 1) + 1 : 0;
  let least = hasRows ? keyOf(run.rowStart) : 0;
  return async ({ batch, start, end }) => {
    const { start: before, count } = batches[batch] as StoredBatch;
    const isLast = end === count;
    const found = await table.storedNumbers(
      { batch, start, end: isLast ? end : end + 1 },
      source,
    );
    const following = { batch: batch + 1, start: 0, end: 1 };
    const [next] =
      isLast && batches[batch + 1]
        ? await table.storedNumbers(following, source)
        : [];
    return Float64Array.from({ length: end - start }, (_, n) => {
      const number = found[n] as number;
      const after = found[n + 1] ?? next ?? limit;
      const most = after >= least && after < limit ? after - step : limit - 1;
      if (number >= least && number <= most) {
        least = number + step;
        return number;
      }
      problems.add(
        `table row ${before + start + n}: expected ${form} from ${name(least)} to ${name(Math.max(least, most))}, found ${number < 0 && inner.length > 0 ? "a position outside of its axis" : name(number)}`,
      );
      return Number.NaN;
    });
  };
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
