import type { ByteSource } from "./byte-source.js";
import type { Entries } from "./entries-block.js";
import { type BlockForm, isNullExample } from "./example-parts.js";
import type { FileBatch } from "./file-batches.js";
import { newFloats } from "./float-array.js";
import { checkIndices } from "./list-entries.js";
import type { StoredColumn } from "./stored-column.js";

/** Table rows `[start, end)` of a batch. */
export interface RowRange {
  batch: number;
  start: number;
  end: number;
}

type Columns = [i: StoredColumn, j: StoredColumn, value: StoredColumn];

/**
 * The entries of an example of coo from the table rows that have them, in order; null where its one table row is.
 * @throws InputFormatError
 */
export async function coordinateEntries(
  { classes, dtype }: BlockForm,
  source: ByteSource,
  row: number,
  ranges: readonly { parts: FileBatch["parts"]; start: number; end: number }[],
): Promise<Entries | null> {
  const where = `for row ${row}`;
  const count = ranges.reduce((sum, { start, end }) => sum + end - start, 0);
  const [only] = ranges;
  if (only && count > classes * classes)
    throw (only.parts as Columns)[0].error(
      `expected at most ${classes * classes} entries of ${classes} classes, found ${count} ${where}`,
    );
  if (only && count === 1) {
    const { parts, start: k } = only;
    if (await isNullExample({ source, parts, k, row })) return null;
  }
  const indices = new Float64Array(count);
  const values = newFloats(dtype, count);
  let at = 0;
  for (const { parts, start, end } of ranges) {
    const [iColumn, jColumn, valueColumn] = parts as Columns;
    const i = await iColumn.numbers(source, start, end);
    const j = await jColumn.numbers(source, start, end);
    checkClasses(i, classes, iColumn, where);
    checkClasses(j, classes, jColumn, where);
    i.forEach((own, n) => {
      indices[at + n] = own * classes + (j[n] as number);
    });
    values.set(await valueColumn.numbers(source, start, end), at);
    checkIndices(indices.subarray(0, at + i.length), classes, jColumn, where);
    at += i.length;
  }
  return { classes, type: dtype, indices, values };
}

function checkClasses(
  found: ArrayLike<number>,
  classes: number,
  column: StoredColumn,
  where: string,
): void {
  for (let n = 0; n < found.length; n++) {
    const k = found[n] as number;
    if (!(k >= 0 && k < classes))
      throw column.error(
        `expected a class from 0 to ${classes - 1}, found ${k} ${where}`,
      );
  }
}
