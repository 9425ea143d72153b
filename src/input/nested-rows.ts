import { InputFormatError } from "../errors.js";
import type { TemporaryFiles } from "../io/anonymous-file.js";
import { shortName } from "../printable.js";
import { indexOfKey } from "../results/row-axes.js";
import type { CopiedColumn } from "./copied-columns.js";
import { ColumnDecoder } from "./decoded-rows.js";
import {
  decodedColumn,
  type LogitsColumn,
  type Nesting,
  type NumberColumn,
  nestingOf,
  productOf,
} from "./number-column.js";
import {
  type ColumnSpan,
  checkRows,
  nodeOf,
  type RecordBatch,
} from "./record-batch.js";
import { type ArrowContainer, recordBatches } from "./record-batches.js";

// A column of lists of lists, or of tensors, has several rows of numbers in each table row. Its rows are the child's rows
// (lists), or its values divided into rows (tensors). Null table rows have no rows.

/** Returns a record batch whose rows are the rows of a column. */
export function rowBatch(
  record: RecordBatch,
  { nesting, columns: [index = 0] }: NumberColumn,
): RecordBatch {
  if (!nesting) return record;
  const { batch, columns } = record;
  const { row, isChild, axes } = nesting;
  const span = columns[index] as ColumnSpan;
  if (isChild) {
    const child = span.children[0] as ColumnSpan;
    const { length: rows } = nodeOf(record, child);
    const spans = columns.with(index, child);
    return { ...record, batch: { ...batch, rows }, columns: spans };
  }
  const rows = nodeOf(record, span).length * productOf(axes ?? []);
  const nodes = batch.nodes.with(span.node, { length: rows, nullCount: 0 });
  const rowSpan = { ...span, field: row, parents: [] };
  const spans = columns.with(index, rowSpan);
  return { ...record, batch: { ...batch, rows, nodes }, columns: spans };
}

/** First row of each table row of a record batch, and its number of rows. */
interface RowBounds {
  starts: Float64Array;
  counts: Float64Array;
}

/** Reads the row bounds of a nested column. @throws InputFormatError for invalid offsets or a wrong column length */
export function rowBounds(
  file: ArrowContainer,
  record: RecordBatch,
  { nesting, columns: [index = 0], name }: NumberColumn,
): RowBounds {
  const { context, columns } = record;
  const span = columns[index] as ColumnSpan;
  const { axes, isChild } = nesting as Nesting;
  const perRow = axes ? productOf(axes) : 0;
  const { length } = nodeOf(record, span);
  checkRows(record, span);
  // Each row has at least one bit in the body, so that memory is bounded by the size of the file.
  const found = isChild
    ? nodeOf(record, span.children[0] as ColumnSpan).length
    : length * perRow;
  if (length * perRow > found || found > 8 * context.bodyBytes)
    throw new InputFormatError(
      context.path,
      context.where,
      `column ${name}: expected at least ${length * perRow} values within ${context.bodyBytes} bytes, found ${found}`,
    );
  const decoder = new ColumnDecoder(file, record, span);
  const isNull = decoder.nulls();
  const [start, end] = axes
    ? [(k: number) => k * perRow, (k: number) => (k + 1) * perRow]
    : decoder.bounds();
  const starts = Float64Array.from({ length }, (_, k) => start(k));
  const counts = starts.map((first, k) => (isNull(k) ? 0 : end(k) - first));
  return { starts, counts };
}

/** Rows that are consecutive in the logits and in each column that is matched with them row by row. */
interface RowRun {
  /** First row in the logits, then in each column. */
  firsts: number[];
  count: number;
}

/** Returns the runs of rows: more than one only if a null table row has values. All columns must have the same counts. */
export function rowRuns(columns: readonly RowBounds[]): RowRun[] {
  const runs: RowRun[] = [];
  const [{ counts }] = columns as [RowBounds];
  for (const [k, count] of counts.entries()) {
    const firsts = columns.map(({ starts }) => starts[k] as number);
    const run = runs.at(-1);
    if (count === 0) continue;
    if (run?.firsts.every((first, n) => first + run.count === firsts[n]))
      run.count += count;
    else runs.push({ firsts, count });
  }
  return runs;
}

/** Axes and indices of the rows of a nested column. */
export interface NestedRows {
  leading: number[];
  /** Temporary file with the indices of the rows (results/row-axes.ts); null if they follow from `leading`. */
  indexFd: number | null;
  /** Note for the user about null table rows. */
  note: string | null;
}

const MAX_BUFFERED = 1 << 14;

/** Determines the axes of a column's rows; writes the row indices to a temporary file if table rows differ in length. */
export function nestedRows(
  file: ArrowContainer,
  column: NumberColumn,
  temporary: TemporaryFiles,
): NestedRows {
  const { axes } = column.nesting as Nesting;
  const [index = 0] = column.columns;
  let tableRows = 0;
  let nulls = 0;
  for (const record of recordBatches(file)) {
    tableRows += record.batch.rows;
    const span = record.columns[index] as ColumnSpan;
    const spans = [span, ...span.parents];
    nulls += Math.max(...spans.map((span) => nodeOf(record, span).nullCount));
  }
  const note =
    nulls > 0
      ? `column ${shortName(column.name)} is null in ${nulls} of ${tableRows} table rows, which have no rows in the output`
      : null;
  if (axes && nulls === 0)
    return { leading: [tableRows, ...axes], indexFd: null, note };
  const inner = axes ? [...axes] : [0];
  const target = temporary.open(file.path);
  let buffered: number[] = [];
  const flush = () => {
    target.append(new Uint8Array(Float64Array.from(buffered).buffer));
    buffered = [];
  };
  let row = 0;
  for (const record of recordBatches(file))
    for (const count of rowBounds(file, record, column).counts) {
      if (!axes) inner[0] = Math.max(inner[0] as number, count);
      for (let k = 0; k < count; k++) {
        buffered.push(row, ...(axes ? indexOfKey(axes.slice(1), k) : [k]));
        if (buffered.length >= MAX_BUFFERED) flush();
      }
      row++;
    }
  flush();
  return { leading: [tableRows, ...inner], indexFd: target.fd, note };
}

/**
 * Returns, for each row of the logits in a record batch, the index of the matching row of a column. A value per table row is
 * repeated; a nested column must have as many rows as the logits.
 * @throws InputFormatError if the numbers of rows differ
 */
export function matchedRows(
  file: ArrowContainer,
  record: RecordBatch,
  column: NumberColumn,
  logits: NumberColumn,
  tableRow: number,
): Float64Array {
  const { counts } = rowBounds(file, record, logits);
  const bounds = column.nesting ? rowBounds(file, record, column) : null;
  const total = counts.reduce((sum, count) => sum + count, 0);
  const rows = new Float64Array(total);
  let at = 0;
  for (const [k, count] of counts.entries()) {
    const found = bounds?.counts[k] ?? count;
    if (found !== count)
      throw new InputFormatError(
        file.path,
        `column ${column.name}, row ${tableRow + k}`,
        `expected ${count} values, one for each list of ${logits.name}, found ${found}`,
      );
    for (let n = 0; n < count; n++)
      rows[at++] = bounds ? (bounds.starts[k] as number) + n : k;
  }
  return rows;
}

/** Copied column, and the lists around its values if they are matched with the rows of the logits one by one. */
interface MatchedColumn {
  column: CopiedColumn;
  list: NumberColumn | null;
}

/**
 * Decides how a column beside nested logits is copied: value by value if its lists are as long as the logits have rows in
 * each table row, otherwise the value of the table row is repeated for each row.
 * @throws InputFormatError for invalid offsets
 */
export function matchedColumn(
  file: ArrowContainer,
  column: CopiedColumn,
  logits: LogitsColumn,
): MatchedColumn {
  const { index, name, constant } = column;
  const [child] = column.children;
  const field = file.schema.fields[index];
  const nesting = field && !constant ? nestingOf(field) : null;
  if (!child || !nesting?.isChild) return { column, list: null };
  const rows = { ...decodedColumn(name, [index], 1), nesting };
  for (const record of recordBatches(file)) {
    const { counts } = rowBounds(file, record, logits);
    const lengths = rowBounds(file, record, rows).counts;
    if (counts.some((count, k) => count !== lengths[k]))
      return { column, list: null };
  }
  const values = { ...child.field, name, nullable: true };
  return { column: { ...child, name, index, field: values }, list: rows };
}
