import type { JacobianBatchShape } from "../output/jacobian-batch.js";
import {
  type JacobianFileHeadSpec,
  layoutHead,
  type PlacedBatch,
  placeBatch,
} from "../output/jacobian-file.js";
import type { EntriesTable } from "../results/entries-table.js";

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
  positions = 0,
): EntriesTable {
  const start = layoutHead(file).end;
  const full = placeBatch(
    batchOfEntries(batchEntries, columns, positions),
    start,
  );
  const places = placesOf(full);
  return {
    batchEntries,
    start,
    batchBytes: full.metadataBytes + full.bodyBytes,
    entryBytes: columns.reduce((sum, { width }) => sum + width, 8),
    columns: [{ width: 8, place: rows }, ...columns].map(
      ({ width, place }, n) => ({
        place: (places[n] as number) - start,
        width,
        slot: place,
      }),
    ),
  };
}

/** A record batch whose table rows are so many entries; the first `positions` columns are indices. */
export function batchOfEntries(
  rows: number,
  columns: readonly Column[],
  positions: number,
): JacobianBatchShape {
  return {
    rows,
    positions,
    results: columns.slice(positions).map(({ list, width }) => ({
      list,
      offsets: false,
      items: rows,
      width,
    })),
    nullableResults: false,
    kept: [],
  };
}

/** Byte offsets of the columns' values in the output, for one batch; row numbers first, then positions. */
export function placesOf({ bodyStart, layout }: PlacedBatch): number[] {
  return [
    layout.row,
    ...layout.positions,
    ...layout.results.map(({ values }) => values),
  ].map((place) => bodyStart + place);
}
