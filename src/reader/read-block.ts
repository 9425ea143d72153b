import { countWhile } from "../bisect.js";
import { InputFormatError } from "../errors.js";
import { nameOfKey } from "../results/row-axes.js";
import type { StoredRun } from "../results/run-metadata.js";
import {
  entriesOfFactors,
  entryIndices,
  indexProblem,
  triangleIndex,
} from "./block-entries.js";
import type { ByteSource } from "./byte-source.js";
import {
  type FloatArray,
  newFloats,
  type StoredColumn,
} from "./stored-column.js";
import { isNull, type StoredRows } from "./stored-rows.js";
import type { RowRange, StoredBatch, StoredTable } from "./stored-table.js";

/** Function whose block is stored: softmax (`jacobian`) or log-softmax (`log_jacobian`). */
export type BlockResult = "jacobian" | "log_jacobian";

/** Run that wrote a file, and the block that is read. */
export interface BlockFormat extends StoredRun {
  result: BlockResult;
}

type NumberList = ArrayLike<number>;

/** Block of one row of logits, in any layout. Functions read only the entries that they need. */
export interface ExampleBlock {
  /** Returns rows `[iStart, iEnd)` of the block, row-major. */
  rows(iStart: number, iEnd: number): Promise<FloatArray>;
  entry(i: number, j: number): Promise<number>;
}

/**
 * Opens the block of a row of logits; returns null for a bad row. Blocks of all values are read on request, and the columns of
 * other layouts (see open-jacobian.ts) at once.
 * @param ranges table rows of the row: one, or in coo those of its entries in order
 */
export async function readBlock(
  format: BlockFormat,
  stored: StoredRows,
  row: number,
  ranges: readonly RowRange[],
  source: ByteSource,
): Promise<ExampleBlock | null> {
  const { layout, classes } = format;
  const { table } = stored;
  if (layout === "bsr" || layout === "packed" || layout === "dense")
    return listedBlock({ ...format, layout }, table, row, ranges, source);
  const reject = (text: string) => {
    const name = nameOfKey(table.inner, row);
    return new InputFormatError(table.source.file.path, name, text);
  };
  const found = await stored.at(row, ranges, source);
  if (!found) return sparseBlock(format, [], []);
  const nulls = found.cells.filter(isNull).length;
  if (nulls === found.cells.length) return null;
  if (nulls > 0)
    throw reject(
      `expected nulls in all ${found.cells.length} columns of the block or in none, found ${nulls}`,
    );
  const [first = [], second = [], third = []] = found.cells as NumberList[];
  if (layout === "factored")
    return factoredBlock(format, first, second, third, reject);
  const [indices, entries] =
    layout === "csr"
      ? [first, second]
      : [entryIndices(first, second, classes), third];
  if (indices.length !== entries.length)
    throw reject(
      `expected equal numbers of values and indices, found ${entries.length} and ${indices.length}`,
    );
  const problem = indexProblem(indices, classes);
  if (problem) throw reject(problem);
  if (Array.from(entries).some(Number.isNaN))
    throw reject("expected a number for each entry, found NaN or null");
  return sparseBlock(format, indices, entries);
}

/** Opens a block of bsr, packed or dense: a list of all values. */
async function listedBlock(
  {
    layout,
    classes,
    rows,
    dtype,
  }: BlockFormat & { layout: "bsr" | "packed" | "dense" },
  table: StoredTable,
  row: number,
  [range]: readonly RowRange[],
  source: ByteSource,
): Promise<ExampleBlock | null> {
  const { batch, start: k } = range as RowRange;
  const { columns } = table.batches[batch] as StoredBatch;
  const [column] = columns as [StoredColumn];
  if ((await column.nulls(source, k, k + 1))?.[0] === 1) return null;
  const [first = 0, last = 0] = await column.bounds(source, k, k + 1);
  const read = (start: number, count: number) =>
    column.numbers(source, first + start, first + start + count);
  const index = {
    bsr: (i: number, j: number) => i * classes + j,
    packed: (i: number, j: number) => triangleIndex(classes, i, j),
    // The list is the slab [i, q, j] of the full tensor, which is 0 except for q = row.
    dense: (i: number, j: number) => (i * rows + row) * classes + j,
  }[layout];
  /** All values of packed, read once because each row of the block needs values of many rows of the triangle. */
  let whole: Promise<FloatArray> | undefined;
  return {
    async rows(iStart, iEnd) {
      const count = (iEnd - iStart) * classes;
      if (layout === "bsr") return read(index(iStart, 0), count);
      const values = newFloats(dtype, count);
      for (let to = 0, i = iStart; i < iEnd; i++, to += classes)
        if (layout === "dense")
          values.set(await read(index(i, 0), classes), to);
        else {
          whole ??= read(0, last - first);
          const stored = await whole;
          for (let j = 0; j < classes; j++)
            values[to + j] = stored[index(i, j)] as number;
        }
      return values;
    },
    entry: async (i, j) => (await read(index(i, j), 1))[0] as number,
  };
}

/** Opens a block of factored: softmax, argmax and tail. */
function factoredBlock(
  { classes, dtype, result, temperature }: BlockFormat,
  p: NumberList,
  { 0: predicted = -1 }: NumberList,
  { 0: tail = -1 }: NumberList,
  reject: (text: string) => Error,
): ExampleBlock {
  const bad = Array.from(p).find((value) => !(value >= 0 && value <= 1));
  if (bad !== undefined)
    throw reject(`expected softmax from 0 to 1, found ${bad}`);
  if (!(predicted >= 0 && predicted < classes))
    throw reject(
      `expected argmax from 0 to ${classes - 1}, found ${predicted}`,
    );
  if (!(tail >= 0 && tail <= classes))
    throw reject(`expected a tail from 0 to ${classes}, found ${tail}`);
  const entry = entriesOfFactors(
    { p, predicted, uncertainty: tail / (1 + tail) },
    temperature,
    result === "log_jacobian",
  );
  return {
    async rows(iStart, iEnd) {
      const values = newFloats(dtype, (iEnd - iStart) * classes);
      for (let to = 0, i = iStart; i < iEnd; i++)
        for (let j = 0; j < classes; j++) values[to++] = entry(i, j);
      return values;
    },
    entry: async (i, j) =>
      dtype === "float32" ? Math.fround(entry(i, j)) : entry(i, j),
  };
}

function sparseBlock(
  { classes, dtype }: BlockFormat,
  indices: NumberList,
  values: NumberList,
): ExampleBlock {
  /** Returns the position of the first index that is `min` or more. */
  const lowerBound = (min: number) =>
    countWhile(indices.length, (k) => (indices[k] as number) < min);
  return {
    async rows(iStart, iEnd) {
      const first = iStart * classes;
      const end = lowerBound(iEnd * classes);
      const rows = newFloats(dtype, iEnd * classes - first);
      for (let n = lowerBound(first); n < end; n++)
        rows[(indices[n] as number) - first] = values[n] as number;
      return rows;
    },
    async entry(i, j) {
      const index = i * classes + j;
      const at = lowerBound(index);
      return indices[at] === index ? (values[at] as number) : 0;
    },
  };
}
