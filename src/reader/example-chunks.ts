import type { StoredRun } from "../results/run-metadata.js";
import { isOfExample } from "../results/table-columns.js";
import type { ByteSource } from "./byte-source.js";
import type { ExampleChunk } from "./example.js";
import type { Cells, ExampleDecoder } from "./example-decoder.js";
import type { FileBatch } from "./file-batches.js";
import type { FoundColumn } from "./output-columns.js";
import { ReadAhead } from "./read-ahead.js";
import { RowIndex } from "./row-index.js";
import { readStoredRows, type StoredPart } from "./stored-rows.js";

/** A file whose examples are to be read. */
export interface Reading {
  source: ByteSource;
  batches: readonly FileBatch[];
  columns: readonly FoundColumn[];
  run: StoredRun;
  /** Table rows that are read at once. */
  chunkRows: number;
  decoder: ExampleDecoder;
}

/** The examples of a layout that has one table row for each. @throws InputFormatError, IoError */
export async function* tableChunks(
  reading: Reading,
): AsyncGenerator<ExampleChunk> {
  const { decoder } = reading;
  for await (const { batch, start, numbers, parts } of tableRows(reading))
    yield {
      count: numbers.length,
      at: (n) =>
        decoder.decode(
          numbers[n] as number,
          batch,
          start + n,
          parts.map((part) => (part.isNull(n) ? null : part.values(n))),
        ),
    };
}

/** The examples of coo that have entries: those of one may go on in the next record batch. @throws the same */
export async function* coordinateChunks(
  reading: Reading,
): AsyncGenerator<ExampleChunk> {
  const { decoder, columns } = reading;
  const gathered = new Gathered(columns);
  for await (const { batch, start, numbers, parts } of tableRows(reading)) {
    const done: { row: number; batch: number; k: number; cells: Cells }[] = [];
    for (let from = 0; from < numbers.length; ) {
      const row = numbers[from] as number;
      let to = from + 1;
      while (to < numbers.length && numbers[to] === row) to++;
      if (row !== gathered.row) {
        done.push(...gathered.take());
        gathered.begin(row, batch, start + from);
      }
      gathered.add(parts, from, to);
      from = to;
    }
    yield chunkOf(done, decoder);
  }
  yield chunkOf(gathered.take(), decoder);
}

function chunkOf(
  done: { row: number; batch: number; k: number; cells: Cells }[],
  decoder: ExampleDecoder,
): ExampleChunk {
  return {
    count: done.length,
    at(n) {
      const { row, batch, k, cells } = done[n] as (typeof done)[number];
      return decoder.decode(row, batch, k, cells);
    },
  };
}

interface TableRows {
  batch: number;
  /** Table row of the batch. */
  start: number;
  /** Row numbers. */
  numbers: Float64Array;
  parts: StoredPart[];
}

async function* tableRows(reading: Reading): AsyncGenerator<TableRows> {
  const { source, batches, columns, run, chunkRows } = reading;
  const strict = run.layout !== "coo";
  const index = new RowIndex(new ReadAhead(source), batches, { strict });
  for (const [b, batch] of batches.entries())
    for (let start = 0; start < batch.count; start += chunkRows) {
      const end = Math.min(start + chunkRows, batch.count);
      const numbers = await index.numbers(b, start, end);
      const rows = { start, end, numbers };
      const parts = await readStoredRows(source, batch, columns, rows, run);
      yield { batch: b, start, numbers, parts };
    }
}

/** The table rows of one example of coo. */
export class Gathered {
  row = -1;
  readonly #columns: readonly FoundColumn[];
  #batch = 0;
  #k = 0;
  #cells: number[][] = [];

  constructor(columns: readonly FoundColumn[]) {
    this.#columns = columns;
  }

  begin(row: number, batch: number, k: number): void {
    this.row = row;
    this.#batch = batch;
    this.#k = k;
    this.#cells = this.#columns.map(() => []);
  }

  /** Table rows `[from, to)`: of what stands with every entry the first alone. */
  add(parts: readonly StoredPart[], from: number, to: number): void {
    parts.forEach((part, n) => {
      const cell = this.#cells[n] as number[];
      const { source } = this.#columns[n] as FoundColumn;
      const one = isOfExample({ source });
      const end = one ? Math.min(to, from + 1 - cell.length) : to;
      for (let k = from; k < end; k++)
        cell.push(part.isNull(k) ? Number.NaN : part.number(k));
    });
  }

  take(): { row: number; batch: number; k: number; cells: Cells }[] {
    if (this.row < 0) return [];
    const { row } = this;
    const [batch, k, cells] = [this.#batch, this.#k, this.#cells];
    this.row = -1;
    return [{ row, batch, k, cells }];
  }
}
