/**
 * Where the entries of layout coo stand in the output by their number, from 0: all record batches but the last have as
 * many, and so the same places. (The last one's columns close up in the end: src/counted.)
 */
export interface EntriesTable {
  batchEntries: number;
  /** Where record batch 0 starts, and from one to the next. */
  start: number;
  batchBytes: number;
  /** Of all columns. */
  entryBytes: number;
  /** Where each column's values start, from the start of their batch, and in a slot; row numbers first. */
  columns: { place: number; width: number; slot: number }[];
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
