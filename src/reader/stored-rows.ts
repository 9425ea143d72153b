import { isPerExample } from "../results/columns.js";
import type { StoredRun } from "../results/run-metadata.js";
import type { ByteSource, FileBytes } from "./byte-source.js";
import {
  findColumns,
  findIndexColumns,
  type OutputColumn,
  type PresentColumn,
} from "./output-columns.js";
import {
  type FloatArray,
  newFloats,
  type StoredColumn,
} from "./stored-column.js";
import {
  type ReadNumbers,
  type RowRange,
  type StoredBatch,
  StoredTable,
} from "./stored-table.js";

/**
 * Values of a row by column; null for a null. In coo, a cell has the values of all entries of the row (NaN for a null), or
 * one value if the column repeats it for each entry.
 */
export type Cells = readonly (ArrayLike<number> | null)[];

/** Detects a null, which in coo is a single entry of NaN. */
export function isNull(cell: Cells[number]): boolean {
  return cell === null || (cell.length === 1 && Number.isNaN(cell[0]));
}

/** Row of the logits as the file stores it. */
export interface StoredRow {
  /** Key of the row (src/results/row-axes.ts). */
  row: number;
  /** Table row: row `index` of a record batch; in coo the row's first entry. */
  batch: number;
  index: number;
  cells: Cells;
}

/** Maximum bytes of values per read, unless one row has more. */
const CHUNK_BYTES = 1 << 20;
/** Maximum values per read of a slab of the dense tensor. */
const SLAB_VALUES = 1 << 17;

/**
 * Opens the expected columns of a file of results. Calls `onProblem` for each column that is missing or has another type,
 * and continues without it. Returns null if an index column is missing.
 */
export function openStoredRows(
  bytes: FileBytes,
  options: {
    run: StoredRun;
    expected: readonly OutputColumn[];
    onProblem(text: string): void;
    /** Called if entries of a row in coo differ in a column that should repeat one value, or dense has no 0 beside a block. */
    onDifference(row: number, text: string): void;
  },
): StoredRows | null {
  const { run, expected, onProblem, onDifference } = options;
  const { fields } = bytes.file.schema;
  const columns = findColumns(fields, expected, onProblem);
  const index = findIndexColumns(fields, run, onProblem);
  if (!index) return null;
  const numbers = columns.map(({ stored }) => stored);
  const isCoo = run.layout === "coo";
  const table = new StoredTable(bytes, index, numbers, isCoo);
  return new StoredRows(table, columns, run, onDifference);
}

/** Reader of the rows of a file, in order or by row number. */
export class StoredRows {
  /** Number of table rows per read. */
  readonly chunkRows: number;

  constructor(
    readonly table: StoredTable,
    readonly columns: readonly PresentColumn[],
    private readonly run: StoredRun,
    private readonly onDifference: (row: number, text: string) => void,
  ) {
    const { classes, topK } = run;
    const entries = Math.min(classes * classes, topK || Infinity);
    let bytes = 8;
    for (const { listSize, isSlab } of columns)
      bytes += 8 * (isSlab ? classes * classes : (listSize ?? entries));
    this.chunkRows = Math.max(1, Math.floor(CHUNK_BYTES / bytes));
  }

  /** Yields all rows in order, in chunks. */
  scan(): AsyncGenerator<Iterable<StoredRow>> {
    return this.#read(this.#chunks(), this.table.numbersInOrder());
  }

  /** Returns one row; null if the file does not have it. */
  async find(row: number): Promise<StoredRow | null> {
    return this.at(row, await this.table.find(row));
  }

  /** Returns the row in its table rows: one, or in coo those of its entries; null for none. */
  async at(
    row: number,
    ranges: readonly RowRange[],
    source: ByteSource = this.table.source,
  ): Promise<StoredRow | null> {
    const { table } = this;
    const maxEntries = this.run.classes ** 2;
    const count = ranges.reduce((sum, { start, end }) => sum + end - start, 0);
    if (count > maxEntries)
      throw table.error(
        ranges[0]?.batch ?? 0,
        `expected at most ${maxEntries} entries of ${this.run.classes} classes, found ${count} for row ${row}`,
      );
    const numbers: ReadNumbers = async (range) => {
      if (!table.isCoo) return Float64Array.of(row);
      const found = await table.numbers(range, source);
      const other = found.find((number) => number !== row);
      if (other === undefined) return found;
      throw table.error(
        range.batch,
        `expected ascending row numbers, found ${other} among the entries of row ${row}`,
      );
    };
    for await (const rows of this.#read(ranges, numbers, source))
      for (const stored of rows) return stored;
    return null;
  }

  *#chunks(): Generator<RowRange> {
    const { chunkRows } = this;
    for (const [batch, { count }] of this.table.batches.entries())
      for (let start = 0; start < count; start += chunkRows)
        yield { batch, start, end: Math.min(start + chunkRows, count) };
  }

  async *#read(
    ranges: Iterable<RowRange>,
    numbersOf: ReadNumbers,
    source: ByteSource = this.table.source,
  ): AsyncGenerator<Iterable<StoredRow>> {
    /** Last row of coo, whose entries may continue in the next range. */
    const open: EntryRow[] = [];
    for (const range of ranges) {
      const numbers = await numbersOf(range);
      const columns = await this.#cells(range, numbers, source);
      yield this.table.isCoo
        ? this.#addEntries(open, range, numbers, columns)
        : tableRows(range, numbers, columns);
    }
    yield open;
  }

  /** Adds table rows of coo to `rows`; removes and returns the complete ones, which are all but the last. */
  #addEntries(
    rows: EntryRow[],
    { batch, start }: RowRange,
    numbers: Float64Array,
    columns: readonly ColumnCells[],
  ): EntryRow[] {
    for (let from = 0, to = 0; from < numbers.length; from = to) {
      const row = numbers[from] as number;
      for (to = from + 1; numbers[to] === row; to++);
      if (row !== rows.at(-1)?.row) {
        const cells = columns.map((): number[] => []);
        rows.push({ row, batch, index: start + from, cells });
      }
      this.#append(rows.at(-1) as EntryRow, columns, from, to);
    }
    return rows.splice(0, rows.length - 1);
  }

  #append(
    { row, cells }: EntryRow,
    columns: readonly ColumnCells[],
    from: number,
    to: number,
  ): void {
    let difference = "";
    for (const [n, { isNull, all }] of columns.entries()) {
      const cell = cells[n] as number[];
      const column = this.columns[n] as PresentColumn;
      const isOne = isPerExample(column);
      for (let k = from; k < to; k++) {
        const value = isNull(k) ? Number.NaN : (all[k] as number);
        if (!isOne || cell.length === 0) cell.push(value);
        else if (!Object.is(cell[0], value))
          difference ||= `column ${column.name}: expected ${cell[0]} in all entries of the row, found ${value}`;
      }
    }
    if (difference) this.onDifference(row, difference);
  }

  async #cells(
    range: RowRange,
    numbers: Float64Array,
    source: ByteSource,
  ): Promise<ColumnCells[]> {
    const { batch, start, end } = range;
    const { columns } = this.table.batches[batch] as StoredBatch;
    const cells: ColumnCells[] = [];
    for (const [n, column] of this.columns.entries()) {
      const stored = columns[n] as StoredColumn;
      const nulls = await stored.nulls(source, start, end);
      const isNull = (k: number) => nulls?.[k] === 1;
      if (column.isSlab) {
        const blocks: FloatArray[] = [];
        for (const [k, number] of numbers.entries())
          if (!isNull(k))
            blocks[k] = await this.#slab(column, stored, start + k, number);
        const values = (k: number) => blocks[k] as FloatArray;
        cells.push({ isNull, values, all: new Float64Array(0) });
        continue;
      }
      const bounds = await stored.bounds(source, start, end);
      const [first = 0, last = 0] = [bounds[0], bounds.at(-1)];
      const all = await stored.numbers(source, first, last, !column.list);
      const at = (k: number) => (bounds[k] as number) - first;
      const values = (k: number) => all.subarray(at(k), at(k + 1));
      cells.push({ isNull, all, values });
    }
    return cells;
  }

  /** Returns the block at [i, row, j] of a slab of the dense tensor. Memory does not depend on the size of the slab. */
  async #slab(
    { name }: PresentColumn,
    stored: StoredColumn,
    tableRow: number,
    number: number,
  ): Promise<FloatArray> {
    const { rows, classes } = this.run;
    const size = classes * rows * classes;
    const block = newFloats("float64", classes * classes);
    let difference = "";
    for (let at = 0; at < size; at += SLAB_VALUES) {
      const first = tableRow * size + at;
      const count = Math.min(SLAB_VALUES, size - at);
      const { source } = this.table;
      const values = await stored.numbers(source, first, first + count);
      for (let k = 0; k < count; k++) {
        const value = values[k] as number;
        if (value === 0) continue;
        const index = at + k;
        const j = index % classes;
        const row = Math.floor(index / classes) % rows;
        const i = Math.floor(index / (classes * rows));
        if (row === number) block[i * classes + j] = value;
        else
          difference ||= `column ${name}: expected 0 outside of [i, ${number}, j], found ${value} at [${i}, ${row}, ${j}]`;
      }
    }
    if (difference) this.onDifference(number, difference);
    return block;
  }
}

/** Values of a column in a range of table rows; k is an index in the range. */
interface ColumnCells {
  isNull: (k: number) => boolean;
  /** Returns the values of a table row; for a slab of the dense tensor, its block. */
  values: (k: number) => FloatArray;
  /** Values of all table rows; not for slabs. */
  all: FloatArray;
}

type EntryRow = StoredRow & { cells: number[][] };

function* tableRows(
  { batch, start }: RowRange,
  numbers: Float64Array,
  columns: readonly ColumnCells[],
): Generator<StoredRow> {
  for (const [k, row] of numbers.entries()) {
    const cells = columns.map(({ isNull, values }) =>
      isNull(k) ? null : values(k),
    );
    yield { row, batch, index: start + k, cells };
  }
}
