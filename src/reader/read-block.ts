import { countWhile } from "../bisect.js";
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
import type { RowRange, StoredBatch, StoredTable } from "./stored-table.js";

/** Function whose block is stored: softmax (`jacobian`) or log-softmax (`log_jacobian`). */
export type BlockResult = "jacobian" | "log_jacobian";

/** Run that wrote a file, and the block that is read. */
export interface BlockFormat extends StoredRun {
  result: BlockResult;
}

/** Block of one row of logits, in any layout. Functions read only the entries that they need. */
export interface ExampleBlock {
  /** Returns rows `[iStart, iEnd)` of the block, row-major. */
  rows(iStart: number, iEnd: number): Promise<FloatArray>;
  entry(i: number, j: number): Promise<number>;
}

/** Columns of blocks in a record batch, in the order of open-jacobian.ts, and table row `k` of the batch. */
interface StoredParts {
  source: ByteSource;
  columns: readonly StoredColumn[];
  k: number;
}

/**
 * Opens the block of a row of logits; returns null for a bad row. Reads most values through `source` on request.
 * @param ranges table rows of the row: one, or in coo those of its entries in order
 */
export async function readBlock(
  format: BlockFormat,
  table: StoredTable,
  row: number,
  ranges: readonly RowRange[],
  source: ByteSource,
): Promise<ExampleBlock | null> {
  const [first] = ranges;
  const isOne = ranges.length === 1 && first && first.end - first.start === 1;
  if (isOne) {
    const { columns } = table.batches[first.batch] as StoredBatch;
    const parts = { source, columns, k: first.start };
    if (await isNull(parts)) return null;
    if (format.layout === "factored") return factoredBlock(format, parts);
    if (format.layout === "csr") return listedEntries(format, parts);
    if (format.layout !== "coo") return listedBlock(format, parts, row);
  }
  return coordinateEntries(format, table, row, ranges, source);
}

/** Returns whether a row is null. @throws InputFormatError if the columns disagree */
async function isNull({ source, columns, k }: StoredParts): Promise<boolean> {
  let first: boolean | undefined;
  for (const column of columns) {
    const isNull = (await column.nulls(source, k, k + 1))?.[0] === 1;
    first ??= isNull;
    if (isNull !== first)
      throw column.error(
        `expected ${first ? "null" : "a value"} as in the columns before it, found ${isNull ? "null" : "a value"} in row ${k} of the batch`,
      );
  }
  return first ?? false;
}

/** Opens a block of bsr, packed or dense: a list of all values. */
async function listedBlock(
  { layout, classes, rows, dtype }: BlockFormat,
  { source, columns, k }: StoredParts,
  row: number,
): Promise<ExampleBlock> {
  const column = columns[0] as StoredColumn;
  const [first = 0, last = 0] = await column.bounds(source, k, k + 1);
  const read = (start: number, count: number) =>
    column.numbers(source, first + start, first + start + count);
  const index = {
    bsr: (i: number, j: number) => i * classes + j,
    packed: (i: number, j: number) => triangleIndex(classes, i, j),
    // The list is the slab [i, q, j] of the full tensor, which is 0 except for q = row.
    dense: (i: number, j: number) => (i * rows + row) * classes + j,
  }[layout as "bsr" | "packed" | "dense"];
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
async function factoredBlock(
  { classes, dtype, result, temperature }: BlockFormat,
  { source, columns, k }: StoredParts,
): Promise<ExampleBlock> {
  type Three = [StoredColumn, StoredColumn, StoredColumn];
  const [softmax, argmax, tails] = columns as Three;
  const where = `in row ${k} of the batch`;
  const [first = 0, last = 0] = await softmax.bounds(source, k, k + 1);
  const p = await softmax.numbers(source, first, last);
  const bad = p.find((value) => !(value >= 0 && value <= 1));
  if (bad !== undefined)
    throw softmax.error(`expected values from 0 to 1, found ${bad} ${where}`);
  const [predicted = -1] = await argmax.numbers(source, k, k + 1);
  if (!(predicted >= 0 && predicted < classes))
    throw argmax.error(
      `expected a class from 0 to ${classes - 1}, found ${predicted} ${where}`,
    );
  const [tail = -1] = await tails.numbers(source, k, k + 1);
  if (!(tail >= 0 && tail <= classes))
    throw tails.error(
      `expected a sum from 0 to ${classes}, found ${tail} ${where}`,
    );
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

/** Reads a block of csr: lists of indices i·Q + j and of values. */
async function listedEntries(
  format: BlockFormat,
  { source, columns, k }: StoredParts,
): Promise<ExampleBlock> {
  const { classes } = format;
  const [indexColumn, valueColumn] = columns as [StoredColumn, StoredColumn];
  const [start = 0, end = 0] = await indexColumn.bounds(source, k, k + 1);
  const [first = 0, last = 0] = await valueColumn.bounds(source, k, k + 1);
  const count = end - start;
  if (last - first !== count || count > classes * classes)
    throw valueColumn.error(
      `expected equal numbers of values and indices, at most ${classes * classes}, found ${last - first} and ${count} in row ${k} of the batch`,
    );
  const indices = await indexColumn.numbers(source, start, end);
  const problem = indexProblem(indices, classes);
  if (problem) throw indexColumn.error(`${problem} in row ${k} of the batch`);
  const values = await valueColumn.numbers(source, first, last);
  return sparseBlock(format, indices as Float64Array, values);
}

/** Reads a block of coo: a table row for each entry. */
async function coordinateEntries(
  format: BlockFormat,
  table: StoredTable,
  row: number,
  ranges: readonly RowRange[],
  source: ByteSource,
): Promise<ExampleBlock> {
  const { classes, dtype } = format;
  const [firstRange] = ranges;
  const count = ranges.reduce((sum, { start, end }) => sum + end - start, 0);
  if (firstRange && count > classes * classes)
    throw table.error(
      firstRange.batch,
      `expected at most ${classes * classes} entries of ${classes} classes, found ${count} for row ${row}`,
    );
  const indices = new Float64Array(count);
  const values = newFloats(dtype, count);
  let at = 0;
  for (const range of ranges) {
    const { batch, start, end } = range;
    const rows = await table.numbers(range, source);
    const other = rows.find((number) => number !== row);
    if (other !== undefined)
      throw table.error(
        batch,
        `expected ascending row numbers, found ${other} among the entries of row ${row}`,
      );
    const { columns } = table.batches[batch] as StoredBatch;
    const [i, j, value] = columns as [StoredColumn, StoredColumn, StoredColumn];
    const rangeIndices = entryIndices(
      await i.numbers(source, start, end),
      await j.numbers(source, start, end),
      classes,
    );
    indices.set(rangeIndices, at);
    values.set(await value.numbers(source, start, end), at);
    at += rangeIndices.length;
    const problem = indexProblem(indices.subarray(0, at), classes);
    if (problem) throw j.error(`${problem} for row ${row}`);
  }
  return sparseBlock(format, indices, values);
}

function sparseBlock(
  { classes, dtype }: BlockFormat,
  indices: Float64Array,
  values: FloatArray,
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
