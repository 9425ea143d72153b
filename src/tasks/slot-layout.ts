import {
  type ColumnStorage,
  isSeparate,
  offsetWidth,
} from "../arrow/column-storage.js";
import type { NumberType } from "../arrow/field.js";
import { ENTRY_BYTES } from "../kernels/portable/program.js";
import { sparseSpaceBytes } from "../kernels/portable/sparse-space.js";
import { workAreaBytes } from "../kernels/portable/work.js";
import type { ResultColumn } from "../results/columns.js";

/** A source of numbers: name and storage of its columns, and the number of values of a row. */
export interface SourceSetup {
  name: string;
  storage: ColumnStorage;
  type: NumberType;
  /** Bytes per value as stored. */
  width: number;
  values: number;
  /** Kind of the values: logits, class numbers, or any finite numbers. */
  holds: "logits" | "class" | "numbers" | "weight" | "features" | "key";
  /** Names of the values of features. */
  names?: readonly string[];
  /** Descriptor of the file of its decoded rows; null: the input. */
  fd: number | null;
}

/** Sizes of a result: values per row as computed, and as stored in the output. */
export type PlannedResult = Pick<
  ResultColumn,
  "values" | "listSize" | "width" | "block"
>;

/** Sizes that determine the regions of a slot. */
interface SlotSpec {
  loadRows: number;
  rowBlockSize: number;
  tileRows: number;
  classes: number;
  sources: Omit<SourceSetup, "name" | "names" | "fd">[];
  results: Omit<PlannedResult, "listSize">[];
  /** Number of index columns after `row`. */
  positions?: number;
  /** Bytes by which results may start later than their region. */
  slack: number;
}

/** Output of a row block, which stays in cache between kernel and write (512 KiB is 5 % slower, 2 MiB 10 %). */
const ROW_BLOCK_BYTES = 2 ** 20;

/**
 * Returns the number of rows that are computed at once, and the rows of a Jacobian block that are computed at once if a
 * whole block does not fit. A row block reads at most twice what it stores (covariances are larger than their results).
 */
export function planRowBlocks(
  classes: number,
  results: PlannedResult[],
  sourceBytes: number,
  rows: number,
) {
  const sum = (total: number, bytes: number) => total + bytes;
  const computed = results.map(({ values, width }) => values * width);
  const rowBytes = Math.max(computed.reduce(sum, 8), sourceBytes / 2);
  const blockRowBytes = results.map(({ block, width }) =>
    block === null ? 1 : classes * width,
  );
  const fitting = Math.floor(ROW_BLOCK_BYTES / Math.max(1, ...blockRowBytes));
  const tileRows = Math.min(classes, Math.max(1, fitting));
  const fittingRows = Math.min(rows, Math.floor(ROW_BLOCK_BYTES / rowBytes));
  return {
    /** Rows of a row block, which a worker computes and writes at once. */
    rowBlockSize: tileRows < classes ? 1 : Math.max(1, fittingRows),
    /** Rows of a Jacobian block that fit a slot; fewer than `classes` if blocks are written in tiles. */
    tileRows,
  };
}

/** Offsets of a slot's regions in bytes from its start; every region is aligned to 64. */
export type SlotLayout = ReturnType<typeof layoutSlot>;
/** Offsets of the regions of a source. */
export type SourceOffsets = SlotLayout["sources"][number];

/** Returns a function that allocates regions from `start` on, and one that returns their end. */
function regionsFrom(start: number) {
  let end = start;
  const region = (bytes: number): number => {
    const start = end;
    end = Math.ceil((start + bytes) / 64) * 64;
    return start;
  };
  return { region, end: () => end };
}

/** Lays out one slot: a chunk's input and output, one row block at a time. Pure. */
export function layoutSlot(spec: SlotSpec) {
  const { loadRows, rowBlockSize, tileRows, classes } = spec;
  const { region, end } = regionsFrom(0);
  const sources = spec.sources.map((source) => {
    const { storage, type, width, values, holds } = source;
    // The kernel reads float64, and float32 logits.
    const isRead =
      type === "float64" || (type === "float32" && holds === "logits");
    const bytes = loadRows * values * width;
    const separate = values > 1 ? bytes : 0;
    const offsets = offsetWidth(storage) * (loadRows + 1);
    /** List offsets, or separate columns one after the other. */
    const staging = region(isSeparate(storage) ? separate : offsets);
    /** Values as stored, row-major. */
    const raw = region(bytes);
    /** Values as float64, or `raw` if they need no conversion. */
    const converted = isRead ? raw : region(loadRows * values * 8);
    return { staging, raw, values: converted };
  });
  const blockValues = (values: number) =>
    tileRows === classes ? rowBlockSize * values : tileRows * classes;
  return {
    sources,
    /** Work area of the kernel (src/kernels/portable/work.ts). */
    work: region(workAreaBytes(classes)),
    /** The kernel's program (src/kernels/portable/program.ts). */
    program: region(ENTRY_BYTES * spec.results.length),
    /** int64[loadRows]. */
    rowNumbers: region(8 * loadRows),
    /** int32[loadRows] each. */
    positions: Array.from({ length: spec.positions ?? 0 }, () =>
      region(4 * loadRows),
    ),
    /**
     * Per result: `[loadRows, values]`; for blocks `[rowBlockSize, values]`, or a tile of one block's rows. Each has
     * `slack` more bytes.
     */
    results: spec.results.map(({ values, width, block }) => {
      const stored = block === null ? loadRows * values : blockValues(values);
      return region(spec.slack + width * stored);
    }),
    /** int32[rowBlockSize]: bad rows of the row block. */
    badRows: region(4 * rowBlockSize),
    bytes: end(),
  };
}

/** Sizes that determine the regions of a slot for entries. */
interface EntriesSlotSpec extends Omit<SlotSpec, "slack"> {
  slotEntries: number;
  /** Bytes of an entry's value. */
  width: number;
  /** Whether each entry is a table row with row number, i and j (coo). */
  coo: boolean;
  /** Widths of the columns whose values are repeated for every entry of an example (coo). */
  repeated: number[];
}

/** Offsets in bytes from the slot's start; n = loadRows, c = slotEntries. */
export type EntriesOffsets = ReturnType<typeof layoutEntriesSlot>["entries"];

/** Lays out the rows of a task, their results, and space for `slotEntries` entries. Pure. */
export function layoutEntriesSlot(spec: EntriesSlotSpec) {
  const { loadRows, slotEntries, coo } = spec;
  // Results that are blocks are stored whole, like all others.
  const results = spec.results.map((result) => ({ ...result, block: null }));
  const slot = layoutSlot({ ...spec, results, slack: 0 });
  const { region, end } = regionsFrom(slot.bytes);
  const column = (bytes: number): number => region(bytes * slotEntries);
  const entries = {
    /** Work space of the kernel for one row (src/kernels/portable/sparse-space.ts). */
    space: region(sparseSpaceBytes(spec.classes)),
    /** float64[n]: entries of each row. */
    counts: region(8 * loadRows),
    /** float64[n] each: largest dropped |entry| of each row, and sum of all. */
    droppedMax: region(8 * loadRows),
    droppedSum: region(8 * loadRows),
    /** float64[2]: both of the current row, as the kernel stores them. */
    dropped: region(16),
    /** int32[c]: i·Q + j, or i. */
    indices: column(4),
    /** int32[c]: j (coo). */
    columns: column(coo ? 4 : 0),
    /** [c]: values, of the type of the results. */
    values: column(spec.width),
    /** int64[c]: row numbers (coo). */
    rows: column(coo ? 8 : 0),
    /** [c] each: values of the example that an entry belongs to (coo). */
    repeated: spec.repeated.map(column),
  };
  return { ...slot, entries, bytes: end() };
}
