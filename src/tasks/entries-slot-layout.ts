import { sparseSpaceBytes } from "../kernels/portable/sparse-space.js";
import {
  layoutSlot,
  type SlotLayout,
  type SourceShape,
} from "./slot-layout.js";

/** Sizes that determine the regions of a slot for entries. */
export interface EntriesSlotSpec {
  chunkRows: number;
  slotEntries: number;
  classes: number;
  /** Number of index columns after `row`. */
  positions: number;
  /** Bytes of an entry's value. */
  width: number;
  /** Whether each entry is a table row with row number, i and j (coo). */
  coo: boolean;
  /** Widths of the columns whose values are repeated for every entry of an example (coo). */
  repeated: number[];
  sources: SourceShape[];
  /** Results other than entries. */
  results: { values: number; width: number }[];
}

export interface EntriesSlotLayout extends SlotLayout {
  entries: EntriesOffsets;
}

/** Offsets in bytes from the slot's start; n = chunkRows, c = slotEntries. */
export interface EntriesOffsets {
  /** Work space of the kernel for one row (src/kernels/portable/sparse-space.ts). */
  space: number;
  /** float64[n]: entries of each row. */
  counts: number;
  /** float64[n] each: largest dropped |entry| of each row, and sum of all. */
  droppedMax: number;
  droppedSum: number;
  /** float64[2]: both of the current row, as the kernel stores them. */
  dropped: number;
  /** int32[c]: i·Q + j, or i. */
  indices: number;
  /** int32[c]: j (coo). */
  columns: number;
  /** [c]: values, of the type of the results. */
  values: number;
  /** int64[c]: row numbers (coo). */
  rows: number;
  /** [c] each: values of the example that an entry belongs to (coo). */
  repeated: number[];
}

/** Lays out the rows of a task, their results, and space for `slotEntries` entries. Pure. */
export function layoutEntriesSlot(spec: EntriesSlotSpec): EntriesSlotLayout {
  const { chunkRows, slotEntries, classes, coo } = spec;
  const slot = layoutSlot({
    loadRows: chunkRows,
    rowBlockSize: chunkRows,
    tileRows: classes,
    classes,
    positions: spec.positions,
    sources: spec.sources,
    slack: 0,
    results: spec.results.map((result) => ({ ...result, block: null })),
  });
  let end = slot.bytes;
  const region = (bytes: number): number => {
    const start = end;
    end = Math.ceil((start + bytes) / 64) * 64;
    return start;
  };
  const column = (bytes: number): number => region(bytes * slotEntries);
  const entries = {
    space: region(sparseSpaceBytes(classes)),
    counts: region(8 * chunkRows),
    droppedMax: region(8 * chunkRows),
    droppedSum: region(8 * chunkRows),
    dropped: region(16),
    indices: column(4),
    columns: column(coo ? 4 : 0),
    values: column(spec.width),
    rows: column(coo ? 8 : 0),
    repeated: spec.repeated.map(column),
  };
  return { ...slot, entries, bytes: end };
}
