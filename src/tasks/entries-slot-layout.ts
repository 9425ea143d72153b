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
  /** Bytes of a value of an entry. */
  width: number;
  /** Whether table rows are entries (coo), with i, j and row numbers. */
  coo: boolean;
  /** Bytes of an example's values that are repeated with its entries (coo). */
  repeated: number[];
  sources: SourceShape[];
  /** Results of an example beside its entries. */
  results: { values: number; width: number }[];
}

/** Offsets in bytes from the slot's start; n = chunkRows, c = slotEntries. */
export interface EntriesSlotLayout extends SlotLayout {
  entries: EntriesOffsets;
}

export interface EntriesOffsets {
  /** The space in which the kernel works (numeric/portable/sparse-space.ts), for one row. */
  space: number;
  /** float64[n]: entries of each row. */
  counts: number;
  /** float64[n] each. */
  droppedMax: number;
  droppedSum: number;
  /** float64[2]: the kernel's result of one row. */
  dropped: number;
  /** int32[c]: i·Q + j, or i. */
  indices: number;
  /** int32[c]: j (coo). */
  columns: number;
  /** [c], of the results' type. */
  values: number;
  /** int64[c] (coo). */
  rows: number;
  /** [c] each: an example's value with each of its entries (coo). */
  repeated: number[];
}

/** Lays out a task's rows as read, their results, and as many of their entries as fit. Pure. */
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
