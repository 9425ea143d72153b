import type { JacobianBatchShape } from "../output/jacobian-batch.js";
import {
  type JacobianFileHeadSpec,
  layoutHead,
  type PlacedBatch,
  placeBatch,
} from "../output/jacobian-file.js";

/**
 * Where the entries of layout coo stand in the output by their number, from 0: all record batches but the last have as
 * many, and so the same places. (The last one's columns close up in the end: last-batch.ts.)
 */
export interface EntriesTable {
  batchEntries: number;
  /** Where record batch 0 starts, and from one to the next. */
  start: number;
  batchBytes: number;
  /** Where each column's values start, from the start of their batch, and in a slot; row numbers first. */
  columns: { place: number; width: number; slot: number }[];
}

/** A column of results, as a file has it. */
interface Column {
  list: boolean;
  width: number;
}

/** Columns of results stand at `place` in a slot, row numbers at `rows`. */
export function planEntriesTable(
  file: JacobianFileHeadSpec,
  batchEntries: number,
  rows: number,
  columns: readonly (Column & { place: number })[],
): EntriesTable {
  const start = layoutHead(file).end;
  const full = placeBatch(batchOfEntries(batchEntries, columns), start);
  const places = placesOf(full);
  return {
    batchEntries,
    start,
    batchBytes: full.metadataBytes + full.bodyBytes,
    columns: [{ width: 8, place: rows }, ...columns].map(
      ({ width, place }, n) => ({
        place: (places[n] as number) - start,
        width,
        slot: place,
      }),
    ),
  };
}

/** Where the values of an entry start: of column `n`, in bytes of the output. */
export function placeOfEntry(
  { batchEntries, start, batchBytes, columns }: EntriesTable,
  n: number,
  entry: number,
): number {
  const { place, width } = columns[n] as EntriesTable["columns"][number];
  const batch = Math.floor(entry / batchEntries);
  const within = entry - batch * batchEntries;
  return start + batch * batchBytes + place + within * width;
}

/** A record batch whose table rows are so many entries. */
export function batchOfEntries(
  rows: number,
  columns: readonly Column[],
): JacobianBatchShape {
  return {
    rows,
    results: columns.map(({ list, width }) => ({
      list,
      offsets: false,
      items: rows,
      width,
    })),
    nullableResults: false,
    kept: [],
  };
}

/** Where the values of a batch's columns start, in bytes of the output; row numbers first. */
export function placesOf({ bodyStart, layout }: PlacedBatch): number[] {
  return [layout.row, ...layout.results.map(({ values }) => values)].map(
    (place) => bodyStart + place,
  );
}
