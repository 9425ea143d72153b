import type { ArrowContainer } from "../input/record-batches.js";
import type { StoredRun } from "../results/run-metadata.js";
import { isPerExample } from "../results/table-columns.js";
import type { ByteSource } from "./byte-source.js";
import {
  type FoundColumn,
  findColumns,
  findIndexColumns,
  type OutputColumn,
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
 * The values of a row by column; null: null. In coo, a column has the values of all entries of the row, or one value if it
 * repeats the same for each entry; NaN: null.
 */
export type Cells = readonly (ArrayLike<number> | null)[];

/** One row of the logits as a file stores it. */
export interface StoredRow {
  /** Row number: the key of its index. */
  row: number;
  /** Its table row: row `index` of a record batch. In coo, the first of its entries. */
  batch: number;
  index: number;
  cells: Cells;
  /** Layout dense, by column: the first value outside of the block that is not 0. */
  strays: readonly (Stray | null)[];
}

interface Stray {
  place: [i: number, row: number, j: number];
  value: number;
}

/** Bytes of values that are read at once, unless one row has more. */
const CHUNK_BYTES = 1 << 20;
/** Values of a slab of the dense tensor that are read at once. */
const SLAB_VALUES = 1 << 17;

/**
 * Opens the columns that a file of results should have. For each that is missing or of another type, `onProblem` is called;
 * if it does not throw, the others are read, but all index columns are needed.
 *
 * @throws InputFormatError, InputUnsupportedError, IoError
 */
export function openStoredRows(
  file: ArrowContainer,
  source: ByteSource,
  options: {
    run: StoredRun;
    expected: readonly OutputColumn[];
    onProblem(text: string): void;
    /** Is called if the entries of a row in coo have different values in a column that should repeat one. */
    onDifference(row: number, text: string): void;
  },
): StoredRows | null {
  const { run, expected, onProblem, onDifference } = options;
  const { fields } = file.schema;
  const columns = findColumns(fields, expected, onProblem);
  const index = findIndexColumns(fields, run, onProblem);
  if (!index) return null;
  const numbers = columns.map(({ stored }) => stored);
  const isCoo = run.layout === "coo";
  const table = new StoredTable(file, source, index, numbers, isCoo);
  return new StoredRows(table, columns, run, onDifference);
}

/** Reads the rows of a file: all in order, or one by its row number. */
export class StoredRows {
  /** Number of table rows that are read at once. */
  readonly chunkRows: number;

  /** @param table a table of these columns */
  constructor(
    readonly table: StoredTable,
    readonly columns: readonly FoundColumn[],
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

  /**
   * Yields all rows in order, some at a time. Table rows whose number is NaN are skipped.
   * @throws InputFormatError, IoError
   */
  scan(
    numbers: ReadNumbers = this.table.numbersInOrder(),
  ): AsyncGenerator<Iterable<StoredRow>> {
    return this.#read(this.#chunks(), numbers);
  }

  /**
   * Returns one row; null if the file does not have it.
   * @param ranges its table rows, if they are known
   * @throws InputFormatError, IoError
   */
  async find(
    row: number,
    ranges?: readonly RowRange[],
  ): Promise<StoredRow | null> {
    const found = ranges ?? (await this.table.find(row));
    const numbers: ReadNumbers = async ({ start, end }) =>
      new Float64Array(end - start).fill(row);
    for await (const rows of this.#read(found, numbers))
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
  ): AsyncGenerator<Iterable<StoredRow>> {
    const entries = this.table.isCoo ? new EntryRows(this.columns) : null;
    for (const range of ranges) {
      const numbers = await numbersOf(range);
      const parts = await this.#parts(range, numbers);
      const chunk = { range, numbers, parts };
      yield entries?.add(chunk, this.onDifference) ?? tableRows(chunk);
    }
    if (entries) yield entries.rest();
  }

  /** Reads the values of table rows, column by column. */
  async #parts(range: RowRange, numbers: Float64Array): Promise<Part[]> {
    const { batch, start, end } = range;
    const { source, batches } = this.table;
    const { columns } = batches[batch] as StoredBatch;
    const parts: Part[] = [];
    for (const [n, column] of this.columns.entries()) {
      const stored = columns[n] as StoredColumn;
      const nulls = await stored.nulls(source, start, end);
      if (column.isSlab) {
        parts.push(await this.#slabs(stored, range, numbers, nulls));
        continue;
      }
      const bounds = await stored.bounds(source, start, end);
      const first = bounds[0] as number;
      const last = bounds.at(-1) as number;
      const values = await stored.numbers(source, first, last, !column.list);
      parts.push({
        isNull: (k) => nulls?.[k] === 1,
        all: values,
        values: (k) =>
          values.subarray(
            (bounds[k] as number) - first,
            (bounds[k + 1] as number) - first,
          ) as FloatArray,
      });
    }
    return parts;
  }

  /**
   * Reads slabs `[i, row, j]` of the dense tensor: the block at [i, number, j], and the first value elsewhere that is not 0.
   * However large a slab is, some of it is read at a time.
   */
  async #slabs(
    stored: StoredColumn,
    { start }: RowRange,
    numbers: Float64Array,
    nulls: Uint8Array | null,
  ): Promise<Part> {
    const { rows, classes } = this.run;
    const size = classes * rows * classes;
    const blocks: FloatArray[] = [];
    const strays: (Stray | null)[] = [];
    for (const [n, number] of numbers.entries()) {
      const block = newFloats("float64", classes * classes);
      let stray: Stray | null = null;
      const end = nulls?.[n] ? 0 : size;
      for (let at = 0; at < end; at += SLAB_VALUES) {
        const first = (start + n) * size + at;
        const count = Math.min(SLAB_VALUES, size - at);
        const { source } = this.table;
        const values = await stored.numbers(source, first, first + count);
        for (let k = 0; k < count; k++) {
          const value = values[k] as number;
          if (value === 0) continue;
          const place = at + k;
          const j = place % classes;
          const row = Math.floor(place / classes) % rows;
          const i = Math.floor(place / (classes * rows));
          if (row === number) block[i * classes + j] = value;
          else stray ??= { place: [i, row, j], value };
        }
      }
      blocks.push(block);
      strays.push(stray);
    }
    return {
      isNull: (k) => nulls?.[k] === 1,
      all: newFloats("float64", 0),
      values: (k) => blocks[k] as FloatArray,
      strays,
    };
  }
}

/** The values of a column in some table rows, by index among these. */
interface Part {
  isNull(k: number): boolean;
  /** Returns the values; of a slab of the dense tensor its block. */
  values(k: number): FloatArray;
  /** Values of all table rows; of slabs none. */
  all: FloatArray;
  strays?: readonly (Stray | null)[];
}

interface Chunk {
  range: RowRange;
  numbers: Float64Array;
  parts: readonly Part[];
}

function* tableRows({ range, numbers, parts }: Chunk): Generator<StoredRow> {
  const { batch, start } = range;
  for (let k = 0; k < numbers.length; k++) {
    const row = numbers[k] as number;
    if (Number.isNaN(row)) continue;
    yield {
      row,
      batch,
      index: start + k,
      cells: parts.map((part) => (part.isNull(k) ? null : part.values(k))),
      strays: parts.map(({ strays }) => strays?.[k] ?? null),
    };
  }
}

/** Gathers the rows of coo from their entries; those of one row may continue in the next chunk. */
class EntryRows {
  #row: (StoredRow & { cells: number[][] }) | null = null;

  constructor(private readonly columns: readonly FoundColumn[]) {}

  /** Adds table rows, and returns the rows that are complete. */
  add(
    { range, numbers, parts }: Chunk,
    onDifference: (row: number, text: string) => void,
  ): StoredRow[] {
    const complete: StoredRow[] = [];
    const { batch, start } = range;
    for (let from = 0; from < numbers.length; ) {
      const row = numbers[from] as number;
      let to = from + 1;
      while (to < numbers.length && numbers[to] === row) to++;
      if (!Number.isNaN(row)) {
        if (row !== this.#row?.row) complete.push(...this.rest());
        const cells = this.columns.map((): number[] => []);
        this.#row ??= { row, batch, index: start + from, cells, strays: [] };
        const difference = this.#append(this.#row.cells, parts, from, to);
        if (difference) onDifference(row, difference);
      }
      from = to;
    }
    return complete;
  }

  /** Returns the last row, which is complete. */
  rest(): StoredRow[] {
    const rows = this.#row ? [this.#row] : [];
    this.#row = null;
    return rows;
  }

  #append(
    cells: number[][],
    parts: readonly Part[],
    from: number,
    to: number,
  ): string | null {
    let difference: string | null = null;
    for (const [n, part] of parts.entries()) {
      const cell = cells[n] as number[];
      const column = this.columns[n] as FoundColumn;
      const isOne = isPerExample(column);
      for (let k = from; k < to; k++) {
        const value = part.isNull(k) ? Number.NaN : (part.all[k] as number);
        if (!isOne || cell.length === 0) cell.push(value);
        else if (!Object.is(cell[0], value))
          difference ??= `column ${column.name}: expected ${cell[0]} in all entries of the row, found ${value}`;
      }
    }
    return difference;
  }
}
