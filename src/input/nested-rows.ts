import { InputFormatError } from "../errors.js";
import { AnonymousFile } from "../io/anonymous-file.js";
import { outputCall } from "../io/system-error.js";
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

// A column of lists of lists, or of tensors, has several rows of numbers in each table row. Its rows are those of the child, or
// of the values cut into rows: a record batch of them is read like any other. Null table rows have no rows.

/** Yields record batches whose rows are those of a column. @throws as recordBatches */
export function* rowBatches(
  file: ArrowContainer,
  { nesting, columns: [place = 0] }: NumberColumn,
): Generator<RecordBatch> {
  for (const found of recordBatches(file))
    yield nesting ? rowBatch(found, nesting, place) : found;
}

/** Returns a record batch with the rows of one column. */
export function rowBatch(
  found: RecordBatch,
  { row, isChild, axes }: Nesting,
  place: number,
): RecordBatch {
  const { batch, columns } = found;
  const span = columns[place] as ColumnSpan;
  if (isChild) {
    const child = span.children[0] as ColumnSpan;
    const rows = nodeOf(found, child).length;
    const own = columns.with(place, child);
    return { ...found, batch: { ...batch, rows }, columns: own };
  }
  const rows = nodeOf(found, span).length * productOf(axes ?? []);
  const nodes = batch.nodes.with(span.node, { length: rows, nullCount: 0 });
  const own = columns.with(place, { ...span, field: row, parents: [] });
  return { ...found, batch: { ...batch, rows, nodes }, columns: own };
}

/** The first row of each table row of a record batch, and how many it has. */
export interface RowBounds {
  starts: Float64Array;
  counts: Float64Array;
}

/** @throws InputFormatError for offsets that cannot be, and a column of another length than its batch */
export function rowBounds(
  file: ArrowContainer,
  record: RecordBatch,
  { nesting, columns: [place = 0], name }: NumberColumn,
): RowBounds {
  const { context, columns } = record;
  const span = columns[place] as ColumnSpan;
  const { axes, isChild } = nesting as Nesting;
  const perRow = axes ? productOf(axes) : 0;
  const { length } = nodeOf(record, span);
  checkRows(record, span);
  // Each row has a value, so that memory is bounded by what the file has.
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

/** Rows that follow one another in a record batch, in the logits and in each column that is matched with them row by row. */
export interface RowRun {
  /** The first row of the logits, then of each column. */
  firsts: number[];
  count: number;
}

/** Returns the runs of rows; more than one only if a null table row has values. All columns have the same counts. */
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

/** Indices of the rows of a column, and what its batches have. */
export interface NestedRows {
  /** Lengths of the axes of the rows. */
  leading: number[];
  /** Temporary file with the indices of the rows (row-indices.ts); null: they follow from `leading`. */
  indexFd: number | null;
  /** Note for the user about table rows without rows. */
  note: string | null;
  /** Closes the file. */
  close(): void;
}

/** Indices that are written at once. */
const RECORDS = 1 << 14;

/** Finds the axes of the rows of a column, and writes their indices to a temporary file if the table rows have different numbers. */
export function nestedRows(
  file: ArrowContainer,
  column: NumberColumn,
  scratch: string | undefined,
): NestedRows {
  const { axes } = column.nesting as Nesting;
  const [place = 0] = column.columns;
  let tableRows = 0;
  let nulls = 0;
  for (const record of recordBatches(file)) {
    tableRows += record.batch.rows;
    const span = record.columns[place] as ColumnSpan;
    const around = [span, ...span.parents];
    nulls += Math.max(...around.map((one) => nodeOf(record, one).nullCount));
  }
  const note =
    nulls > 0
      ? `column ${shortName(column.name)} is null in ${nulls} of ${tableRows} table rows, which have no rows in the output`
      : null;
  if (axes && nulls === 0)
    return { leading: [tableRows, ...axes], indexFd: null, note, close() {} };
  const inner = axes ? [...axes] : [0];
  const write = (target: AnonymousFile) => {
    let records: number[] = [];
    const flush = () => {
      target.append(new Uint8Array(Float64Array.from(records).buffer));
      records = [];
    };
    let row = 0;
    for (const record of recordBatches(file))
      for (const count of rowBounds(file, record, column).counts) {
        if (!axes) inner[0] = Math.max(inner[0] as number, count);
        for (let k = 0; k < count; k++) {
          records.push(row, ...(axes ? indexOfKey(axes.slice(1), k) : [k]));
          if (records.length >= RECORDS) flush();
        }
        row++;
      }
    flush();
  };
  const target = outputCall(
    file.path,
    "could not be indexed in a temporary file",
    () => AnonymousFile.written(scratch, write),
  );
  return {
    leading: [tableRows, ...inner],
    indexFd: target.fd,
    note,
    close: () => target.close(),
  };
}

/**
 * Returns which row of a column each row of the logits is matched with, in one record batch: a column of table rows is repeated
 * for each row of the logits, and a nested one must have as many.
 * @throws InputFormatError where it has others
 */
export function matchedRows(
  file: ArrowContainer,
  record: RecordBatch,
  column: NumberColumn,
  logits: NumberColumn,
  tableRow: number,
): Float64Array {
  const { counts } = rowBounds(file, record, logits);
  const own = column.nesting ? rowBounds(file, record, column) : null;
  const total = counts.reduce((sum, count) => sum + count, 0);
  const rows = new Float64Array(total);
  let at = 0;
  for (const [k, count] of counts.entries()) {
    const found = own?.counts[k] ?? count;
    if (found !== count)
      throw new InputFormatError(
        file.path,
        `column ${column.name}, row ${tableRow + k}`,
        `expected ${count} values, one for each list of ${logits.name}, found ${found}`,
      );
    for (let n = 0; n < count; n++)
      rows[at++] = own ? (own.starts[k] as number) + n : k;
  }
  return rows;
}

/** Copied column, and the lists that its values are in, if they are matched with the rows of the logits. */
export interface MatchedColumn {
  column: CopiedColumn;
  list: NumberColumn | null;
}

/**
 * Returns how a column beside nested logits is copied: the values of its lists one by one, if each table row has as many of
 * them as the logits have rows; else the value of the table row for each of its rows.
 * @throws InputFormatError for offsets that cannot be
 */
export function matchedColumn(
  file: ArrowContainer,
  column: CopiedColumn,
  logits: LogitsColumn,
): MatchedColumn {
  const { place, name, constant } = column;
  const [child] = column.children;
  const field = file.schema.fields[place];
  const nesting = field && !constant ? nestingOf(field) : null;
  if (!child || !nesting?.isChild) return { column, list: null };
  const rows = { ...decodedColumn(name, [place], 1), nesting };
  for (const record of recordBatches(file)) {
    const { counts } = rowBounds(file, record, logits);
    const own = rowBounds(file, record, rows).counts;
    if (counts.some((count, k) => count !== own[k]))
      return { column, list: null };
  }
  const values = { ...child.field, name, nullable: true };
  return {
    column: { ...child, name, place, field: values },
    list: rows,
  };
}
