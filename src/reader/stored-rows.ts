import type { ByteSource } from "./byte-source.js";
import { readSlabs, type Slabs } from "./dense-slabs.js";
import type { FileBatch } from "./file-batches.js";
import { type FloatArray, newFloats } from "./float-array.js";
import type { FoundColumn } from "./output-columns.js";
import type { StoredColumn } from "./stored-column.js";

/** A column's values of some table rows. */
export interface StoredPart {
  isNull(n: number): boolean;
  /** The values of the n-th of the rows; of a dense slab its block. */
  values(n: number): FloatArray;
  /** The first of them. */
  number(n: number): number;
  /** Dense: the first value of the n-th row's slab outside its block that is not 0. */
  stray?: Slabs["stray"];
}

/** Reads table rows `[start, end)` of a batch, column by column; `numbers` are their row numbers. */
export async function readStoredRows(
  source: ByteSource,
  batch: FileBatch,
  columns: readonly FoundColumn[],
  {
    start,
    end,
    numbers,
  }: { start: number; end: number; numbers: Float64Array },
  { rows, classes }: { rows: number; classes: number },
): Promise<StoredPart[]> {
  const parts: StoredPart[] = [];
  for (const [n, column] of columns.entries()) {
    const stored = batch.parts[n] as StoredColumn;
    const nulls = await stored.nulls(source, start, end);
    const isNull = (k: number) => nulls?.[k] === 1;
    if (column.dense) {
      const slabs = await readSlabs(
        { source, stored, rows, classes, isNull },
        start,
        numbers,
      );
      const number = (k: number) => slabs.values(k)[0] as number;
      parts.push({ isNull, number, ...slabs });
      continue;
    }
    const bounds = await stored.bounds(source, start, end);
    const first = bounds[0] as number;
    const values =
      nulls && !column.list
        ? await numbersBetweenNulls(source, stored, start, nulls)
        : await stored.numbers(source, first, bounds.at(-1) as number);
    parts.push({
      isNull,
      number: (k) => values[(bounds[k] as number) - first] as number,
      values: (k) =>
        values.subarray(
          (bounds[k] as number) - first,
          (bounds[k + 1] as number) - first,
        ) as FloatArray,
    });
  }
  return parts;
}

/** One number a row; 0 where it is null. */
async function numbersBetweenNulls(
  source: ByteSource,
  stored: StoredColumn,
  start: number,
  nulls: Uint8Array,
): Promise<FloatArray> {
  const values = newFloats("float64", nulls.length);
  for (let from = 0; from < nulls.length; from++) {
    if (nulls[from]) continue;
    const null_ = nulls.indexOf(1, from);
    const to = null_ < 0 ? nulls.length : null_;
    values.set(await stored.numbers(source, start + from, start + to), from);
    from = to;
  }
  return values;
}
